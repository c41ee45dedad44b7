/* Notes, as layout.py draws them: text fields with NUL between them, in cells.
 *
 * Owns the writing of them. Knows the core's segments, not what is told. Included where those are defined. */

#ifndef SOCKREEL_NOTES_H
#define SOCKREEL_NOTES_H

enum { NOTE_SOCKET = 2, NOTE_SOCKET_IS = 3, NOTE_CLOSED = 4, NOTE_PAYLOAD = 7, NOTE_READINESS = 10 };

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
            Cell *cell = (Cell *)(segment->base + (cell_number & ((1 << CELL_BITS) - 1)) * CELL_BYTES);
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
            cell->kind = kind;
            cell->part = part;
            cell->total_bytes = (uint32_t)total;
            cell->key = key;
            cell->serial = serial;
            __atomic_store_n(&cell->state, STATE_COMPLETE, __ATOMIC_RELEASE);
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

/* Write the first bytes of what a call moved, as layout's NOTE_PAYLOAD: size in decimal, NUL, bytes. */
static int
keep_payload(Core *core, int64_t number, int64_t moved, const char *data)
{
    if (!core->payload_bytes || moved <= 0)
        return 0;
    int64_t kept = moved < core->payload_bytes ? moved : core->payload_bytes;
    char digits[24], *end = digits + sizeof digits;
    *--end = 0;
    char *head = digits_before(end, moved);
    return write_note(core, NOTE_PAYLOAD, number, head, digits + sizeof digits - head, data, kept);
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
