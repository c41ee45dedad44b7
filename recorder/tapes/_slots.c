/* Counts slots by the block: what tally.py's `Tally.add` does column by column, at a thirtieth of its cost.
 *
 * Owns four functions, `aggregate`, `moved`, `varying` and `spoilt`. The rules are those of traces/schema.sql (levels, summaries) and of
 * traces/histogram.py; a test holds both implementations against each other. Optional: without it the
 * Python one counts. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#include "../agent/slot.h"

#define MILLISECOND_NS 1000000
#define SHORT_NS (8 * MILLISECOND_NS)
#define BLOCKED_NS 100000
#define WOULD_BLOCK 1
#define WANT_READ 6
#define WANT_WRITE 7
#define TLS_RECV 50
#define TLS_SEND 51
#define TIMED_OUT 5
#define BINS 1024
#define MOST_OPERATIONS 256
#define MOST_OUTCOMES 32
enum { BLOCKED, FRUITLESS, MOVED, OTHER };

typedef struct {
    int64_t bucket, calls, ns, bytes, first, last;
    uint32_t thread, socket;
    int class_, used;
} Cell;

typedef struct {
    Cell *cells;
    size_t size, used;
} Table;

typedef struct {
    int64_t calls, total_ns, min_ns, max_ns, bytes;
    int64_t bins[BINS];
} Summary;

static size_t
place_of(const Table *table, int64_t bucket, uint32_t thread, uint32_t socket, int class_)
{
    uint64_t hash = ((uint64_t)bucket * 4 + class_) * 0x9E3779B97F4A7C15u ^ ((uint64_t)thread << 32 | socket) * 0xC2B2AE3D27D4EB4Fu;
    return (size_t)(hash ^ hash >> 31) & (table->size - 1);
}

static Cell *
cell_of(Table *table, int64_t bucket, uint32_t thread, uint32_t socket, int class_)
{
    if (2 * (table->used + 1) > table->size) {
        Table bigger = {NULL, table->size ? 2 * table->size : 256, table->used};
        bigger.cells = PyMem_Calloc(bigger.size, sizeof(Cell));
        if (!bigger.cells)
            return NULL;
        for (size_t at = 0; at < table->size; at++) {
            Cell *old = &table->cells[at];
            if (!old->used)
                continue;
            size_t to = place_of(&bigger, old->bucket, old->thread, old->socket, old->class_);
            while (bigger.cells[to].used)
                to = (to + 1) & (bigger.size - 1);
            bigger.cells[to] = *old;
        }
        PyMem_Free(table->cells);
        *table = bigger;
    }
    size_t at = place_of(table, bucket, thread, socket, class_);
    for (;; at = (at + 1) & (table->size - 1)) {
        Cell *cell = &table->cells[at];
        if (!cell->used) {
            table->used++;
            *cell = (Cell){.bucket = bucket, .thread = thread, .socket = socket, .class_ = class_, .used = 1, .first = INT64_MAX};
            return cell;
        }
        if (cell->bucket == bucket && cell->thread == thread && cell->socket == socket && cell->class_ == class_)
            return cell;
    }
}

static int
bin_of(int64_t duration_ns)
{
    if (duration_ns < 16)
        return duration_ns < 0 ? 0 : (int)duration_ns;
    int shift = 63 - __builtin_clzll((unsigned long long)duration_ns) - 4;
    return (shift << 4) + (int)(duration_ns >> shift);
}

/* Whether an operation is in a bytes object used as a set of codes. */
static inline int
among(const char *set, uint16_t operation)
{
    return operation < MOST_OPERATIONS && set[operation];
}

static PyObject *
levels_of(const Table *table, uint64_t thread_base, uint64_t socket_base)
{
    PyObject *rows = PyList_New(0);
    for (size_t at = 0; rows && at < table->size; at++) {
        const Cell *cell = &table->cells[at];
        if (!cell->used)
            continue;
        PyObject *row = Py_BuildValue("LKKiLLLLL", (long long)cell->bucket, (unsigned long long)(cell->thread + thread_base),
                                      (unsigned long long)(cell->socket ? cell->socket + socket_base : 0), cell->class_,
                                      (long long)cell->calls, (long long)cell->ns, (long long)cell->bytes, (long long)cell->first,
                                      (long long)cell->last);
        if (!row || PyList_Append(rows, row) < 0)
            Py_CLEAR(rows);
        Py_XDECREF(row);
    }
    return rows;
}

static PyObject *
summaries_of(Summary *const *summaries)
{
    PyObject *rows = PyList_New(0);
    for (int key = 0; rows && key < MOST_OPERATIONS * MOST_OUTCOMES; key++) {
        const Summary *found = summaries[key];
        if (!found)
            continue;
        PyObject *bins = PyDict_New(), *row = NULL;
        for (int bin = 0; bins && bin < BINS; bin++) {
            if (!found->bins[bin])
                continue;
            PyObject *number = PyLong_FromLong(bin), *count = PyLong_FromLongLong(found->bins[bin]);
            if (!number || !count || PyDict_SetItem(bins, number, count) < 0)
                Py_CLEAR(bins);
            Py_XDECREF(number);
            Py_XDECREF(count);
        }
        if (bins)
            row = Py_BuildValue("iiLLLLLO", key / MOST_OUTCOMES, key % MOST_OUTCOMES, (long long)found->calls, (long long)found->total_ns,
                                (long long)found->min_ns, (long long)found->max_ns, (long long)found->bytes, bins);
        if (!row || PyList_Append(rows, row) < 0)
            Py_CLEAR(rows);
        Py_XDECREF(row);
        Py_XDECREF(bins);
    }
    return rows;
}

PyDoc_STRVAR(aggregate_doc,
             "aggregate(slots, first_id, thread_base, socket_base, start_ns, waiting, moving)\n--\n\n"
             "Count complete slots.\n\n"
             "Args:\n"
             "    slots: bytes, whole slots.\n"
             "    first_id: id of the first; the others follow.\n"
             "    thread_base, socket_base: what makes the slots' numbers the file's ids.\n"
             "    start_ns: CLOCK_MONOTONIC at the run's start.\n"
             "    waiting, moving: 256 bytes each: not 0 where that operation may wait, or moves bytes.\n\n"
             "Returns:\n"
             "    (rows of (bucket, thread, socket, class, calls, ns, bytes, first id, last id) for level 0,\n"
             "    rows of (operation, outcome, calls, total ns, min ns, max ns, bytes, {bin: calls})).\n\n"
             "Raises:\n"
             "    ValueError: not whole slots, or codes out of range.\n");

static PyObject *
aggregate(PyObject *Py_UNUSED(module), PyObject *args)
{
    Py_buffer slots, waiting, moving;
    long long first_id, start_ns;
    unsigned long long thread_base, socket_base;
    if (!PyArg_ParseTuple(args, "y*LKKLy*y*", &slots, &first_id, &thread_base, &socket_base, &start_ns, &waiting, &moving))
        return NULL;
    PyObject *levels = NULL, *rows = NULL, *result = NULL;
    Table table = {NULL, 0, 0};
    Summary **summaries = PyMem_Calloc(MOST_OPERATIONS * MOST_OUTCOMES, sizeof(Summary *));
    if (!summaries)
        goto no_memory;
    if (slots.len % SLOT_BYTES || waiting.len != MOST_OPERATIONS || moving.len != MOST_OPERATIONS) {
        PyErr_SetString(PyExc_ValueError, "whole slots and two sets of 256 are wanted");
        goto done;
    }
    for (Py_ssize_t at = 0; at < slots.len / SLOT_BYTES; at++) {
        Slot slot;
        memcpy(&slot, (const char *)slots.buf + at * SLOT_BYTES, SLOT_BYTES);
        if (slot.operation >= MOST_OPERATIONS || slot.outcome >= MOST_OUTCOMES) {
            PyErr_Format(PyExc_ValueError, "operation %d, outcome %d", slot.operation, slot.outcome);
            goto done;
        }
        Summary **place = &summaries[slot.operation * MOST_OUTCOMES + slot.outcome];
        if (!*place) {
            *place = PyMem_Calloc(1, sizeof(Summary));
            if (!*place)
                goto no_memory;
            (*place)->min_ns = INT64_MAX;
            (*place)->max_ns = INT64_MIN;
        }
        Summary *summary = *place;
        int64_t lasted = slot.duration_ns, started = slot.started_ns - start_ns, id = first_id + at;
        int64_t moved = slot.result > 0 && among(moving.buf, slot.operation) ? slot.result : 0;
        summary->calls++;
        summary->total_ns += lasted;
        summary->bytes += moved;
        if (lasted < summary->min_ns)
            summary->min_ns = lasted;
        if (lasted > summary->max_ns)
            summary->max_ns = lasted;
        summary->bins[bin_of(lasted)]++;
        if (lasted >= SHORT_NS)
            continue;
        if (slot.parent)
            moved = 0; /* the bytes are those of the call it ran inside, too */
        int class_ = OTHER;
        if (slot.outcome == WOULD_BLOCK || (slot.outcome == TIMED_OUT && slot.timeout_ns == 0) ||
            ((slot.outcome == WANT_READ || slot.outcome == WANT_WRITE) && (slot.operation == TLS_RECV || slot.operation == TLS_SEND)))
            class_ = FRUITLESS; /* nothing there, and it could not wait for it */
        else if (slot.timeout_ns != 0 && lasted >= BLOCKED_NS && among(waiting.buf, slot.operation))
            class_ = BLOCKED;
        else if (moved > 0)
            class_ = MOVED;
        int64_t end = started + (lasted > 0 ? lasted : 0);
        int64_t bucket = started >= 0 ? started / MILLISECOND_NS : -((-started + MILLISECOND_NS - 1) / MILLISECOND_NS);
        for (int64_t begin = started; begin == started || begin < end; bucket++) {
            int64_t border = (bucket + 1) * MILLISECOND_NS;
            int64_t stop = end < border ? end : border;
            Cell *cell = cell_of(&table, bucket, slot.thread, slot.socket, class_);
            if (!cell)
                goto no_memory;
            if (begin == started) {
                cell->calls++;
                cell->bytes += moved;
            }
            cell->ns += stop - begin;
            if (id < cell->first)
                cell->first = id;
            if (id > cell->last)
                cell->last = id;
            if (stop == end)
                break;
            begin = stop;
        }
    }
    levels = levels_of(&table, thread_base, socket_base);
    rows = levels ? summaries_of(summaries) : NULL;
    result = rows ? PyTuple_Pack(2, levels, rows) : NULL;
    goto done;
no_memory:
    PyErr_NoMemory();
done:
    Py_XDECREF(levels);
    Py_XDECREF(rows);
    if (summaries)
        for (int key = 0; key < MOST_OPERATIONS * MOST_OUTCOMES; key++)
            PyMem_Free(summaries[key]);
    PyMem_Free(summaries);
    PyMem_Free(table.cells);
    PyBuffer_Release(&slots);
    PyBuffer_Release(&waiting);
    PyBuffer_Release(&moving);
    return result;
}

/* Which way bytes go in an operation: moved.py's table, one byte for each. */
enum { NOWHERE, RECEIVES, SENDS, UNCLEAR };
#define MSG_PEEK_BIT 2

typedef struct {
    int64_t received, sent, spared;
    uint32_t socket;
    int unclear;
} Account;

PyDoc_STRVAR(moved_doc, "moved(slots, ways)\n--\n\n"
                        "Sum the bytes of complete slots per socket, as moved.py's `moved_slowly` does.\n\n"
                        "Args:\n"
                        "    slots: bytes, whole slots.\n"
                        "    ways: 256 bytes: which way bytes go in each operation.\n\n"
                        "Returns:\n"
                        "    Rows of (socket, received, sent, spared, unclear).\n\n"
                        "Raises:\n"
                        "    ValueError: not whole slots.\n");

static PyObject *
moved(PyObject *Py_UNUSED(module), PyObject *args)
{
    Py_buffer slots, ways;
    if (!PyArg_ParseTuple(args, "y*y*", &slots, &ways))
        return NULL;
    PyObject *rows = NULL;
    size_t size = 64, used = 0;
    Account *accounts = PyMem_Calloc(size, sizeof(Account)); /* open addressing; socket 0: empty */
    if (!accounts) {
        PyErr_NoMemory();
        goto done;
    }
    if (slots.len % SLOT_BYTES || ways.len != MOST_OPERATIONS) {
        PyErr_SetString(PyExc_ValueError, "whole slots and a table of 256 are wanted");
        goto done;
    }
    for (Py_ssize_t at = 0; at < slots.len / SLOT_BYTES; at++) {
        const Slot *slot = (const Slot *)((const char *)slots.buf + at * SLOT_BYTES);
        uint16_t operation;
        uint32_t socket;
        memcpy(&operation, &slot->operation, sizeof operation);
        memcpy(&socket, &slot->socket, sizeof socket);
        int way = operation < MOST_OPERATIONS ? ((const char *)ways.buf)[operation] : NOWHERE;
        if (way == NOWHERE || !socket)
            continue;
        int64_t result, asked;
        uint32_t flags;
        memcpy(&result, &slot->result, sizeof result);
        memcpy(&asked, &slot->asked, sizeof asked);
        memcpy(&flags, &slot->flags, sizeof flags);
        int64_t spared = way == SENDS && result < 0 && asked > 0 ? asked : 0;
        if (result <= 0 && !spared && way != UNCLEAR)
            continue;
        if (way == RECEIVES && flags & MSG_PEEK_BIT)
            continue;
        if (2 * (used + 1) > size) {
            Account *bigger = PyMem_Calloc(2 * size, sizeof(Account));
            if (!bigger) {
                PyErr_NoMemory();
                goto done;
            }
            for (size_t old = 0; old < size; old++) {
                if (!accounts[old].socket)
                    continue;
                size_t to = accounts[old].socket * 0x9E3779B1u & (2 * size - 1);
                while (bigger[to].socket)
                    to = (to + 1) & (2 * size - 1);
                bigger[to] = accounts[old];
            }
            PyMem_Free(accounts);
            accounts = bigger;
            size *= 2;
        }
        size_t to = socket * 0x9E3779B1u & (size - 1);
        while (accounts[to].socket && accounts[to].socket != socket)
            to = (to + 1) & (size - 1);
        Account *account = &accounts[to];
        if (!account->socket) {
            account->socket = socket;
            used++;
        }
        if (way == RECEIVES)
            account->received += result;
        else if (way == SENDS)
            account->sent += result > 0 ? result : 0;
        else
            account->unclear = 1;
        account->spared += spared;
    }
    rows = PyList_New(0);
    for (size_t at = 0; rows && at < size; at++) {
        const Account *account = &accounts[at];
        if (!account->socket)
            continue;
        PyObject *row = Py_BuildValue("ILLLO", (unsigned int)account->socket, (long long)account->received, (long long)account->sent,
                                      (long long)account->spared, account->unclear ? Py_True : Py_False);
        if (!row || PyList_Append(rows, row) < 0)
            Py_CLEAR(rows);
        Py_XDECREF(row);
    }
done:
    PyMem_Free(accounts);
    PyBuffer_Release(&slots);
    PyBuffer_Release(&ways);
    return rows;
}

PyDoc_STRVAR(varying_doc, "varying(slots)\n--\n\n"
                          "Return as many bytes as a slot has: 0 where all slots have the same byte.\n\n"
                          "Args:\n"
                          "    slots: bytes, whole slots, at least one.\n\n"
                          "Raises:\n"
                          "    ValueError: not whole slots, or none.\n");

static PyObject *
varying(PyObject *Py_UNUSED(module), PyObject *slots)
{
    Py_buffer view;
    if (PyObject_GetBuffer(slots, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    PyObject *result = NULL;
    if (!view.len || view.len % SLOT_BYTES)
        PyErr_SetString(PyExc_ValueError, "whole slots are wanted");
    else {
        unsigned char differs[SLOT_BYTES] = {0};
        const unsigned char *first = view.buf;
        for (Py_ssize_t at = SLOT_BYTES; at < view.len; at += SLOT_BYTES)
            for (int byte = 0; byte < SLOT_BYTES; byte++)
                differs[byte] |= first[byte] ^ first[at + byte];
        result = PyBytes_FromStringAndSize((const char *)differs, SLOT_BYTES);
    }
    PyBuffer_Release(&view);
    return result;
}

#define MOST_NUMBER 1000000000
#define FARTHEST_NS ((int64_t)1 << 59)
#define MOST_MOVED ((int64_t)1 << 50)
#define MOST_BEHIND 8192 /* a parent has drawn its number before, but for a signal between */

/* Whether an agent could have written it: the rules are those of slots.py. */
static int
makes_sense(const Slot *slot, int64_t number, const unsigned char *known)
{
    if (!slot->thread || slot->thread >= MOST_NUMBER || slot->socket >= MOST_NUMBER || slot->site >= MOST_NUMBER ||
        slot->peer >= MOST_NUMBER || slot->operation >= MOST_OPERATIONS || !(known[slot->operation] & 1))
        return 0;
    if (slot->started_ns < 0 || slot->started_ns >= FARTHEST_NS || slot->parent < 0 || slot->parent > number + MOST_BEHIND)
        return 0;
    if (slot->state == 1)
        return 1; /* open: the rest is not written yet */
    return slot->outcome < MOST_OPERATIONS && known[slot->outcome] & 2 && slot->duration_ns >= 0 && slot->duration_ns < FARTHEST_NS &&
           slot->ready_ns >= 0 && slot->ready_ns < FARTHEST_NS &&
           (slot->result == INT64_MIN || (slot->result > -MOST_MOVED && slot->result < MOST_MOVED));
}

PyDoc_STRVAR(spoilt_doc, "spoilt(slots, first, known)\n--\n\n"
                         "Find slots that no agent could have written.\n\n"
                         "Args:\n"
                         "    slots: bytes, whole slots.\n"
                         "    first: number of the first.\n"
                         "    known: 256 bytes; 1: an operation has that code, 2: an outcome, 3: both.\n\n"
                         "Returns:\n"
                         "    Their places, from 0 on.\n\n"
                         "Raises:\n"
                         "    ValueError: not whole slots, or not 256 codes.\n");

static PyObject *
spoilt(PyObject *Py_UNUSED(module), PyObject *args)
{
    Py_buffer slots, known;
    long long first;
    if (!PyArg_ParseTuple(args, "y*Ly*", &slots, &first, &known))
        return NULL;
    PyObject *places = NULL;
    if (slots.len % SLOT_BYTES || known.len != 256)
        PyErr_SetString(PyExc_ValueError, "whole slots and a table of 256 are wanted");
    else if ((places = PyList_New(0)))
        for (Py_ssize_t at = 0; at < slots.len / SLOT_BYTES; at++) {
            Slot slot;
            memcpy(&slot, (const char *)slots.buf + at * SLOT_BYTES, SLOT_BYTES);
            if (makes_sense(&slot, first + at, known.buf))
                continue;
            PyObject *place = PyLong_FromSsize_t(at);
            if (!place || PyList_Append(places, place) < 0)
                Py_CLEAR(places);
            Py_XDECREF(place);
            if (!places)
                break;
        }
    PyBuffer_Release(&slots);
    PyBuffer_Release(&known);
    return places;
}

static PyMethodDef methods[] = {{"aggregate", aggregate, METH_VARARGS, aggregate_doc},
                                {"moved", moved, METH_VARARGS, moved_doc},
                                {"varying", varying, METH_O, varying_doc},
                                {"spoilt", spoilt, METH_VARARGS, spoilt_doc},
                                {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot slots[] = {{0, NULL}};
static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT, .m_name = "_slots", .m_doc = "Counts slots; see slots.py and tally.py.", .m_methods = methods, .m_slots = slots};

PyMODINIT_FUNC
PyInit__slots(void)
{
    return PyModuleDef_Init(&definition);
}
