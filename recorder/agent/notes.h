/* Notes, as layout.py draws them: text fields with NUL between them, in cells.
 *
 * Owns the writing of them. Knows the core's segments, not what is told. Included where those are defined. */

#ifndef SOCKREEL_NOTES_H
#define SOCKREEL_NOTES_H

enum { NOTE_SOCKET = 2, NOTE_SOCKET_IS = 3, NOTE_CLOSED = 4, NOTE_PAYLOAD = 7, NOTE_READINESS = 10 };

/* Write one cell. */
static inline void
write_cell(Cell *cell, uint16_t kind, uint32_t part, int64_t total, int64_t key, uint64_t serial)
{
    cell->kind = kind;
    cell->part = part;
    cell->total_bytes = (uint32_t)total;
    cell->key = key;
    cell->serial = serial;
    __atomic_store_n(&cell->state, STATE_COMPLETE, __ATOMIC_RELEASE);
}

static inline Cell *
cell_at(const Segment *segment, int64_t number)
{
    return (Cell *)(segment->base + (number & ((1 << CELL_BITS) - 1)) * CELL_BYTES);
}

/* Write a note of two parts, the second as long as it pleases. -1 with an exception. */
static int
write_note(Core *core, uint16_t kind, int64_t key, const char *head, int64_t head_bytes, const char *data, int64_t data_bytes)
{
    int64_t total = head_bytes + data_bytes, at = 0;
    int64_t cell_number = core->next_cell++;
    uint64_t serial = (uint64_t)cell_number;
    for (uint32_t part = 0;; part++) {
        Segment *segment = segment_of(core, &core->notes, "n", cell_number >> CELL_BITS);
        if (!segment)
            return -1;
        if (segment->base) {
            Cell *cell = cell_at(segment, cell_number);
            int64_t room = CELL_DATA_BYTES, to = 0;
            if (at < head_bytes) {
                to = head_bytes - at < room ? head_bytes - at : room;
                memcpy(cell->data, head + at, to);
                room -= to;
            }
            int64_t from = at + to - head_bytes;
            int64_t some = data_bytes - from < room ? data_bytes - from : room;
            if (some > 0)
                memcpy(cell->data + to, data + from, some);
            write_cell(cell, kind, part, total, key, serial);
        }
        at += CELL_DATA_BYTES;
        if (at >= total)
            return 0;
        cell_number = core->next_cell++;
    }
}

/* Write a number in decimal so that it ends before `end`; returns where it begins. snprintf costs as much as all the rest. */
static inline char *
digits_before(char *end, int64_t number)
{
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do
        *--end = (char)('0' + rest % 10);
    while (rest /= 10);
    if (number < 0)
        *--end = '-';
    return end;
}

#define HEAD_ROOM 8 /* copied at once, whether the head is as long or not */

/* Write the first bytes of what a call moved, as layout's NOTE_PAYLOAD: size in decimal, NUL, bytes. */
static int
keep_payload(Core *core, int64_t number, int64_t moved, const char *data)
{
    if (!core->payload_bytes || moved <= 0)
        return 0;
    int64_t kept = moved < core->payload_bytes ? moved : core->payload_bytes;
    char digits[24 + HEAD_ROOM], *end = digits + 24;
    *--end = 0;
    char *head = digits_before(end, moved);
    int64_t head_bytes = digits + 24 - head;
    Segment *segment = core->notes;
    if (head_bytes + kept > CELL_DATA_BYTES || head_bytes > HEAD_ROOM || !segment || !segment->base ||
        segment->number != core->next_cell >> CELL_BITS)
        return write_note(core, NOTE_PAYLOAD, number, head, head_bytes, data, kept);
    int64_t cell_number = core->next_cell++; /* nearly all: one cell of the newest segment */
    Cell *cell = cell_at(segment, cell_number);
    memcpy(cell->data, head, HEAD_ROOM);
    memcpy(cell->data + head_bytes, data, kept);
    write_cell(cell, NOTE_PAYLOAD, 0, head_bytes + kept, number, (uint64_t)cell_number);
    __builtin_prefetch(cell + 2, 1); /* the recorder made it: it is in no cache of this processor */
    __builtin_prefetch((char *)(cell + 2) + 64, 1);
    return 0;
}

/* The fields of a note, as they are put together. */
typedef struct {
    size_t used, room;
    int fields, failed; /* failed: there was no memory */
    char *data;
    char own[1024];
} Text;

static void
text_begin(Text *text)
{
    text->used = 0;
    text->fields = text->failed = 0;
    text->room = sizeof text->own;
    text->data = text->own;
}

static void
text_end(Text *text)
{
    if (text->data != text->own)
        PyMem_Free(text->data);
    text->data = text->own;
}

static void
add_field(Text *text, const char *data, size_t bytes)
{
    if (text->used + bytes + 1 > text->room) {
        size_t room = 2 * (text->room + bytes);
        char *bigger = PyMem_Malloc(room);
        if (!bigger) {
            text->failed = 1;
            return;
        }
        memcpy(bigger, text->data, text->used);
        text_end(text);
        text->data = bigger;
        text->room = room;
    }
    if (text->fields++)
        text->data[text->used++] = 0;
    memcpy(text->data + text->used, data, bytes);
    text->used += bytes;
}

static void
add_number(Text *text, int64_t number)
{
    char digits[24], *end = digits + sizeof digits, *start = digits_before(end, number);
    add_field(text, start, end - start);
}

#define ROW_BYTES 64 /* three numbers, and NUL between them */

/* Add the row (socket, interest, events) of a readiness note. */
static void
add_row(Text *text, int64_t socket, int64_t interest, int64_t events)
{
    char digits[ROW_BYTES], *end = digits + sizeof digits, *start = digits_before(end, events);
    *--start = 0;
    start = digits_before(start, interest);
    *--start = 0;
    start = digits_before(start, socket);
    add_field(text, start, end - start);
}

static void
add_word(Text *text, const char *word)
{
    add_field(text, word, strlen(word));
}

/* -1, without an exception, for what is no plain text: Python writes that. */
static int
add_string(Text *text, PyObject *string)
{
    Py_ssize_t bytes;
    const char *data = string && PyUnicode_CheckExact(string) ? PyUnicode_AsUTF8AndSize(string, &bytes) : NULL;
    if (!data || memchr(data, 0, bytes)) {
        PyErr_Clear();
        return -1;
    }
    add_field(text, data, bytes);
    return 0;
}

static int
write_text(Core *core, uint16_t kind, int64_t key, Text *text)
{
    if (text->failed) {
        PyErr_NoMemory();
        return -1;
    }
    return write_note(core, kind, key, text->data, (int64_t)text->used, NULL, 0);
}

#endif
