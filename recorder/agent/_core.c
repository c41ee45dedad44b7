/* The C core: what python_core.py's `hook` does, at a tenth of its cost.
 *
 * Owns the hot path and nothing else. Whatever is rare (a new segment, thread, socket or site, an
 * address, an outcome that is neither success nor EAGAIN) is asked of the Python modules beside it,
 * which serve both cores. The layout is that of layout.py, drawn there as a table; a test compares.
 *
 * All state hangs on a Core object and is touched with the GIL held only. The GIL is let go inside
 * the wrapped call alone, so nothing here is ever half done when another thread looks. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <frameobject.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "slot.h"
#include "unseen.h"
#include "handler.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the tape is little-endian; this machine uses the Python core"
#endif

#define NOTHING INT64_MIN
#define SLOT_BITS 13
#define CELL_BYTES 128
#define CELL_BITS 12
#define CELL_DATA_BYTES 92
enum { STATE_OPEN = 1, STATE_COMPLETE = 2, STATE_VOID = 3 };
enum { WOULD_BLOCK = 1, OK = 2, END_OF_STREAM = 4, TIMED_OUT = 5, WANT_READ = 6, WANT_WRITE = 7, INTERRUPTED = 12, FAILED = 14 };
enum { RECV = 2, RECVMSG_INTO = 7, FROM_KERNEL = 1 };
enum { ASK_NOTHING, ASK_NUMBER, ASK_BUFFER, ASK_READ, ASK_TRUTH, ASK_PYTHON, ASK_EPOLL, ASK_POLL, ASK_INTEREST, ASK_NO_INTEREST };
enum { FINISH_NOTHING, FINISH_BYTES, FINISH_COUNT, FINISH_ALL, FINISH_ACCEPTED, FINISH_TIMEOUT, FINISH_CLOSED, FINISH_PYTHON };

typedef struct {
    uint16_t kind, unused0;
    uint32_t part, total_bytes, unused1;
    int64_t key;
    uint64_t serial;
    char data[CELL_DATA_BYTES];
    uint32_t state;
} Cell;

_Static_assert(sizeof(Cell) == CELL_BYTES, "cell");

static inline int64_t
clock_ns(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

#include "arrival.h"

/* The time without asking for it each time: the processor's counter, tied to CLOCK_MONOTONIC at least once a
 * millisecond. Only where the kernel itself keeps time by that counter (and so has checked that it is steady
 * and the same on all processors); otherwise `ticks` stays off. */

#if defined(__x86_64__)
#include <x86intrin.h>
#define TICKS() ((int64_t)__rdtsc())
#else
#define TICKS() ((int64_t)0)
#endif
#define TIE_NS 1000000
#define CLOSE_TICKS 1000 /* a tie is two readings this near to each other */
#define MEASURE_NS 20000000 /* a stretch this long tells the counter's rate to 5 in a million */

typedef struct {
    int on;
    int64_t tied_ticks, tied_ns; /* the same moment on both */
    int64_t since_ticks, since_ns; /* where the measured stretch began */
    int64_t reach_ticks;           /* how far from the tie the rate may be used; 0: no rate yet */
    uint64_t rate;                 /* nanoseconds a tick, times 2**32 */
    int64_t latest_ns;
} Clock;

static int64_t
tie(Clock *clock)
{
    int64_t ticks = 0, ns = 0, apart = CLOSE_TICKS;
    for (int tries = 0; tries < 3 && apart >= CLOSE_TICKS; tries++) {
        int64_t before = TICKS();
        ns = clock_ns();
        apart = TICKS() - before;
        ticks = before + apart / 2;
    }
    if (apart >= CLOSE_TICKS || apart < 0) { /* we were stopped in between each time: no tie this time */
        clock->reach_ticks = 0;
        clock->since_ns = 0;
        return ns;
    }
    int64_t stretch_ticks = ticks - clock->since_ticks, stretch_ns = ns - clock->since_ns;
    if (!clock->since_ns || stretch_ticks <= 0 || stretch_ns > 50 * MEASURE_NS) {
        clock->since_ticks = ticks; /* begin, or begin again after a pause */
        clock->since_ns = ns;
    } else if (stretch_ns >= MEASURE_NS) {
        clock->rate = (uint64_t)((__int128)stretch_ns << 32) / (uint64_t)stretch_ticks;
        clock->reach_ticks = stretch_ticks / (stretch_ns / TIE_NS);
        clock->since_ticks = ticks;
        clock->since_ns = ns;
    }
    clock->tied_ticks = ticks;
    clock->tied_ns = ns;
    return ns;
}

static inline int64_t
now_ns(Clock *clock)
{
    if (!clock->on)
        return clock_ns();
    int64_t ns, past = TICKS() - clock->tied_ticks;
    if (past >= 0 && past < clock->reach_ticks)
        ns = clock->tied_ns + (int64_t)((uint64_t)past * clock->rate >> 32); /* past < 2**24, rate < 2**35 */
    else
        ns = tie(clock);
    if (ns < clock->latest_ns)
        return clock->latest_ns; /* a new tie may lie some nanoseconds behind the old one's reckoning */
    return clock->latest_ns = ns;
}

/* Entry and Thread: the attributes that the hot path reads are C members, the others any object. */

typedef struct {
    PyObject_HEAD
    long long timeout_ns;
    unsigned int id, parent, internal;
    int stamped; /* the descriptor if the kernel stamps what arrives there, else -1 */
    int fd, family;
    char stream, memory, open, waiting;
    unsigned long long inode;
    void *object;        /* what `ref` refers to; only compared */
    uint64_t generation; /* of the tape that the object is known to */
    PyObject *owner;     /* the Core whose `entries` has the object */
    PyObject *local, *peer, *ref, *role;
} Entry;

#define ENTRY_OBJECTS(DO) DO(local) DO(peer) DO(ref) DO(role)

static int
Entry_traverse(Entry *self, visitproc visit, void *arg)
{
#define VISIT(name) Py_VISIT(self->name);
    ENTRY_OBJECTS(VISIT)
    Py_VISIT(self->owner);
    Py_VISIT(Py_TYPE(self));
    return 0;
}

static int
Entry_clear(Entry *self)
{
#define CLEAR(name) Py_CLEAR(self->name);
    ENTRY_OBJECTS(CLEAR)
    Py_CLEAR(self->owner);
    return 0;
}

static PyObject *Entry_gone(Entry *self, PyObject *args, PyObject *kw);

static void
Entry_dealloc(Entry *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Entry_clear(self);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

#define MEMBER(name) {#name, T_OBJECT_EX, offsetof(Entry, name), 0, NULL},
#include <structmember.h>
#include "gate.h"
static PyMemberDef Entry_members[] = {
    {"timeout_ns", T_LONGLONG, offsetof(Entry, timeout_ns), 0, NULL},
    {"id", T_UINT, offsetof(Entry, id), 0, NULL},
    {"parent", T_UINT, offsetof(Entry, parent), 0, NULL},
    {"internal", T_UINT, offsetof(Entry, internal), 0, NULL},
    {"fd", T_INT, offsetof(Entry, fd), 0, NULL},
    {"family", T_INT, offsetof(Entry, family), 0, NULL},
    {"inode", T_ULONGLONG, offsetof(Entry, inode), 0, NULL},
    {"open", T_BOOL, offsetof(Entry, open), 0, NULL},
    {"waiting", T_BOOL, offsetof(Entry, waiting), 0, NULL},
    {"stamped", T_INT, offsetof(Entry, stamped), 0, NULL},
    {"stream", T_BOOL, offsetof(Entry, stream), 0, NULL},
    {"memory", T_BOOL, offsetof(Entry, memory), 0, NULL},
    ENTRY_OBJECTS(MEMBER) {NULL}};

static PyType_Slot Entry_slots[] = {
    {Py_tp_members, Entry_members},
    {Py_tp_traverse, Entry_traverse},
    {Py_tp_clear, Entry_clear},
    {Py_tp_dealloc, Entry_dealloc},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_call, Entry_gone},
    {0, NULL}};
static PyType_Spec Entry_spec = {"_sockreel_agent._core.Entry", sizeof(Entry), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, Entry_slots};

#define HEAD_BYTES 32

typedef struct {
    PyObject_HEAD
    unsigned int id;
    long long current;
    unsigned int received_socket; /* the last receive: who, its slot, how much, and its first bytes */
    int64_t received_number, received_bytes;
    char received_head[HEAD_BYTES];
} Thread;

/* Which Thread of which Core this thread of the machine last was. Borrowed: Thread_dealloc, which runs
 * in the dying thread, takes it back. */
static _Thread_local struct {
    uint64_t generation;
    Thread *thread;
} here __attribute__((tls_model("initial-exec"))); /* 16 bytes: the loader keeps room for such */
static uint64_t generations; /* GIL held, or one interpreter per process uses it */

static void
Thread_dealloc(Thread *self)
{
    PyTypeObject *type = Py_TYPE(self);
    if (here.thread == self) {
        here.thread = NULL;
        here.generation = 0;
    }
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static inline void
keep_received(Thread *thread, const Entry *entry, int64_t number, int64_t bytes, const char *data)
{
    thread->received_number = number;
    thread->received_socket = entry->id;
    thread->received_bytes = bytes;
    if (bytes >= HEAD_BYTES)
        memcpy(thread->received_head, data, HEAD_BYTES); /* a known size: two moves and no call */
    else
        memcpy(thread->received_head, data, bytes);
}

static PyObject *
Thread_received(Thread *self, void *Py_UNUSED(closure))
{
    if (!self->received_bytes)
        Py_RETURN_NONE;
    Py_ssize_t kept = self->received_bytes < HEAD_BYTES ? self->received_bytes : HEAD_BYTES;
    return Py_BuildValue("ILLy#", self->received_socket, (long long)self->received_number, (long long)self->received_bytes, self->received_head, kept);
}

static int
Thread_set_received(Thread *self, PyObject *value, void *Py_UNUSED(closure))
{
    unsigned int socket;
    long long number, bytes;
    const char *data;
    Py_ssize_t kept;
    if (!value || !PyArg_ParseTuple(value, "ILLy#", &socket, &number, &bytes, &data, &kept)) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "received");
        return -1;
    }
    self->received_socket = socket;
    self->received_number = number;
    self->received_bytes = bytes;
    memcpy(self->received_head, data, kept < HEAD_BYTES ? kept : HEAD_BYTES);
    return 0;
}

static PyGetSetDef Thread_getset[] = {
    {"received", (getter)Thread_received, (setter)Thread_set_received, "As in core.py.", NULL}, {NULL}};
static PyMemberDef Thread_members[] = {
    {"id", T_UINT, offsetof(Thread, id), 0, NULL}, {"current", T_LONGLONG, offsetof(Thread, current), 0, NULL}, {NULL}};
static PyType_Slot Thread_slots[] = {
    {Py_tp_members, Thread_members}, {Py_tp_getset, Thread_getset}, {Py_tp_dealloc, Thread_dealloc}, {Py_tp_new, PyType_GenericNew}, {0, NULL}};
static PyType_Spec Thread_spec = {"_sockreel_agent._core.Thread", sizeof(Thread), 0, Py_TPFLAGS_DEFAULT, Thread_slots};

/* A map from a pointer and a number to a value, open addressing; keys are owned where `own` says so. */

typedef struct {
    void *pointer; /* NULL: empty; TOMB: was taken out */
    int64_t number;
    void *value;
} Place;
typedef struct {
    Place *places;
    size_t size, used; /* used counts tombs */
    int own_keys, own_values;
} Map;
#define TOMB ((void *)1)

static inline size_t
place_of(const Map *map, void *pointer, int64_t number)
{
    uint64_t hash = ((uint64_t)(uintptr_t)pointer >> 4) * 0x9E3779B97F4A7C15u ^ (uint64_t)number * 0xC2B2AE3D27D4EB4Fu;
    return (size_t)(hash ^ hash >> 29) & (map->size - 1);
}

static inline void *
map_get(const Map *map, void *pointer, int64_t number)
{
    if (!map->size)
        return NULL;
    for (size_t at = place_of(map, pointer, number);; at = (at + 1) & (map->size - 1)) {
        Place *place = &map->places[at];
        if (place->pointer == pointer && place->number == number)
            return place->value;
        if (!place->pointer)
            return NULL;
    }
}

static void
map_clear(Map *map)
{
    Place *places = map->places;
    size_t size = map->size;
    map->places = NULL;
    map->size = map->used = 0;
    for (size_t at = 0; at < size; at++) {
        if (!places[at].pointer || places[at].pointer == TOMB)
            continue;
        if (map->own_keys)
            Py_DECREF((PyObject *)places[at].pointer);
        if (map->own_values)
            Py_DECREF((PyObject *)places[at].value);
    }
    PyMem_Free(places);
}

static int map_put(Map *map, void *pointer, int64_t number, void *value);

static int
map_grow(Map *map)
{
    Map bigger = {NULL, 64, 0, map->own_keys, map->own_values};
    size_t live = 0;
    for (size_t at = 0; at < map->size; at++)
        live += map->places[at].pointer && map->places[at].pointer != TOMB;
    while (bigger.size < 4 * (live + 1))
        bigger.size *= 2;
    bigger.places = PyMem_Calloc(bigger.size, sizeof(Place));
    if (!bigger.places)
        return -1;
    for (size_t at = 0; at < map->size; at++) {
        Place *old = &map->places[at];
        if (!old->pointer || old->pointer == TOMB)
            continue;
        size_t to = place_of(&bigger, old->pointer, old->number);
        while (bigger.places[to].pointer)
            to = (to + 1) & (bigger.size - 1);
        bigger.places[to] = *old;
        bigger.used++;
    }
    PyMem_Free(map->places);
    *map = bigger;
    return 0;
}

static int
map_put(Map *map, void *pointer, int64_t number, void *value)
{
    if (2 * (map->used + 1) > map->size && map_grow(map) < 0)
        return -1;
    size_t at = place_of(map, pointer, number);
    while (map->places[at].pointer && !(map->places[at].pointer == pointer && map->places[at].number == number))
        at = (at + 1) & (map->size - 1);
    Place *place = &map->places[at];
    void *before = NULL;
    if (!place->pointer) {
        map->used++;
        if (map->own_keys)
            Py_INCREF((PyObject *)pointer);
    } else
        before = place->value;
    place->pointer = pointer;
    place->number = number;
    place->value = value;
    if (map->own_values) {
        Py_INCREF((PyObject *)value);
        Py_XDECREF((PyObject *)before);
    }
    return 0;
}

static void
map_remove(Map *map, void *pointer, int64_t number)
{
    if (!map->size)
        return;
    for (size_t at = place_of(map, pointer, number);; at = (at + 1) & (map->size - 1)) {
        Place *place = &map->places[at];
        if (!place->pointer)
            return;
        if (place->pointer == pointer && place->number == number) {
            void *value = place->value;
            place->pointer = TOMB;
            if (map->own_keys)
                Py_DECREF((PyObject *)pointer);
            if (map->own_values)
                Py_DECREF((PyObject *)value);
            return;
        }
    }
}

/* Segments: memory that Python has mapped. One is held while it is current, or a call in it is open. */

typedef struct Segment {
    struct Segment *next;
    int64_t number;
    char *base; /* NULL: it could not be had */
    Py_buffer view;
    PyObject *mapping;
    int64_t open_calls;
} Segment;

typedef struct {
    PyObject_HEAD
    uint64_t generation, epoch; /* epoch: of `sites`; what was taken from it before is void */
    int64_t next_call, next_cell;
    Segment *calls, *notes; /* newest first */
    Map entries;            /* socket object -> Entry (own value) */
    Map sites;              /* code object, instruction -> site + 1 (own key) */
    Map kinds;              /* code object -> 1 + kind (own key) */
    int64_t payload_bytes;
    Clock clock;
    Offset offset;
    PyTypeObject *entry_type, *thread_type;
    PyObject *map_segment, *enter_thread, *identify, *find_site, *kind_of, *failure, *unrecorded, *lose, *fault, *address, *of_handler, *refork;
    int64_t untold; /* calls that were lost where there was no room even to count them: told of later */
    PyObject *by_fd, *by_inode, *by_place, *counted, *files, *next_socket, *name_unbound, *number_of_fd; /* of Sockets */
    PyObject *raw_type, *raw_fileno, *raw_gettimeout; /* of the C class under `socket.socket` */
    PyObject *accepted_role, *fileno_name;
    long look_from; /* descriptors from which on Python looks how many are left */
    pid_t forking; /* while a fork is under way: who forks; else 0 */
    PyObject *want_read, *want_write; /* exceptions of `ssl`, or NULL: looking one up by its name takes longer than the call */
} Core;

#define CORE_OBJECTS(DO) \
    DO(map_segment) DO(enter_thread) DO(identify) DO(find_site) DO(kind_of) DO(failure) DO(unrecorded) DO(lose) DO(fault) DO(address) \
    DO(of_handler) DO(refork)
#define SOCKETS_OBJECTS(DO) \
    DO(by_fd) DO(by_inode) DO(by_place) DO(counted) DO(files) DO(next_socket) DO(name_unbound) DO(number_of_fd) \
    DO(raw_type) DO(raw_fileno) DO(raw_gettimeout)

/* Whether a callback returned what the hot path may cast; otherwise it is dropped, with an exception. */
static int
is_a(PyObject *value, PyTypeObject *type)
{
    if (Py_TYPE(value) == type)
        return 1;
    PyErr_Format(PyExc_TypeError, "%s wanted, not %s", type->tp_name, Py_TYPE(value)->tp_name);
    Py_DECREF(value);
    return 0;
}

/* Whether the pending exception says that there is no memory, or no room on the stack. */
static int
is_shortage(void)
{
    return PyErr_ExceptionMatches(PyExc_MemoryError) || PyErr_ExceptionMatches(PyExc_RecursionError);
}

/* Whether the pending exception is an error of ours; one that a signal handler raised is the program's, and shows none of our frames. */
static int
is_ours(Core *core)
{
    if (!core->of_handler) /* cleared: the end is near */
        return PyErr_ExceptionMatches(PyExc_Exception);
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    if (trace && value)
        PyException_SetTraceback(value, trace);
    PyObject *told = value ? UNSEEN(PyObject_CallOneArg(core->of_handler, value)) : NULL;
    if (!told && value && PyErr_Occurred() && !is_shortage()) { /* a handler raised while we asked: what it raised goes on in its place */
        Py_XDECREF(type);
        Py_XDECREF(value);
        Py_XDECREF(trace);
        drop_own_frames();
        return 0;
    }
    int theirs = told == Py_True;
    Py_XDECREF(told);
    PyErr_Clear();
    if (theirs)
        Py_XSETREF(trace, PyException_GetTraceback(value));
    PyErr_Restore(type, value, trace);
    if (theirs)
        drop_own_frames();
    return !theirs;
}

/* What a pending call does: raise an exception in the program. */
static int
raise_kept(void *kept)
{
    PyObject *value = kept;
    PyErr_SetObject((PyObject *)Py_TYPE(value), value);
    Py_DECREF(value);
    return -1;
}

/* Drop the pending exception where none can be raised, unless it is the program's: that comes up as soon as Python runs again. */
static void
drop_or_keep(Core *core)
{
    if (is_ours(core)) {
        PyErr_Clear();
        return;
    }
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    if (trace && value)
        PyException_SetTraceback(value, trace);
    if (value && Py_AddPendingCall(raise_kept, Py_NewRef(value)) < 0)
        Py_DECREF(value);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
}

static void
segment_free(Segment *segment)
{
    if (segment->base)
        PyBuffer_Release(&segment->view);
    Py_XDECREF(segment->mapping);
    PyMem_Free(segment);
}

/* Let go of every segment but the two newest that no open call stands in. They leave the list first: giving memory back
 * lets go of the GIL, and other threads come here. */
static void
segments_prune(Segment **list, int keep)
{
    Segment **link = list, *gone = NULL;
    for (int position = 0; *link; position++) {
        Segment *segment = *link;
        if (position >= keep && !segment->open_calls) {
            *link = segment->next;
            segment->next = gone;
            gone = segment;
        } else
            link = &segment->next;
    }
    while (gone) {
        Segment *next = gone->next;
        segment_free(gone);
        gone = next;
    }
}

static int tell_lost(Core *core);

/* Return a segment, mapped by Python if it is new; NULL with an exception on failure of ours. */
static Segment *
segment_get(Core *core, Segment **list, const char *stream, int64_t number)
{
    for (Segment *segment = *list; segment; segment = segment->next)
        if (segment->number == number)
            return segment;
    if (core->untold && tell_lost(core) < 0)
        return NULL;
    PyObject *mapping = UNSEEN(PyObject_CallFunction(core->map_segment, "sL", stream, (long long)number));
    if (!mapping)
        return NULL;
    for (Segment *segment = *list; segment; segment = segment->next)
        if (segment->number == number) { /* another thread was quicker while Python ran */
            Py_DECREF(mapping);
            return segment;
        }
    Segment *segment = PyMem_Calloc(1, sizeof(Segment));
    if (!segment) {
        Py_DECREF(mapping);
        PyErr_NoMemory();
        return NULL;
    }
    segment->number = number;
    segment->mapping = mapping;
    if (mapping != Py_None) {
        if (PyObject_GetBuffer(mapping, &segment->view, PyBUF_WRITABLE) < 0) {
            segment_free(segment);
            return NULL;
        }
        segment->base = segment->view.buf;
    }
    Segment **link = list;
    while (*link && (*link)->number > number)
        link = &(*link)->next;
    segment->next = *link;
    *link = segment;
    segment->open_calls++; /* not to be pruned, even if it is an old one that a slow thread came back for */
    segments_prune(list, 2);
    segment->open_calls--; /* counted: other threads may have entered it by now */
    return segment;
}

static inline Segment *
segment_of(Core *core, Segment **list, const char *stream, int64_t number)
{
    Segment *newest = *list;
    return newest && newest->number == number ? newest : segment_get(core, list, stream, number);
}

#include "notes.h"
#include "sockets.h"

/* The wrapped method. */

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall, original_vectorcall;
    Core *core;
    PyTypeObject *seen; /* borrowed, only compared: the last type that passed the check */
    PyObject *original, *bound_type, *ask, *finish, *owner;
    int ask_kind, finish_kind;
    PyObject *through;         /* NULL, or the attribute that leads to the socket, or to what is TLS in memory */
    uint16_t memory_operation; /* the operation there */
    int is_behind; /* called by a function of ours, which stands for one that is written in Python */
    int has_number; /* a poller with a descriptor */
    int blocking_is_eagain; /* only connects, and sends that connect, have other errors of that class */
    uint16_t operation;
    /* The last site found here, where the immediate caller is the site; `code` is borrowed of core->sites. */
    struct {
        uint64_t epoch;
        PyObject *code;
        int64_t at, site;
    } last;
} Method;

/* Where the call was made: the nearest caller outside the library, as sites.py defines it. */

enum { PROGRAM, LIBRARY, PLUMBING };

static int
kind_of(Core *core, PyObject *code)
{
    intptr_t known = (intptr_t)map_get(&core->kinds, code, 0);
    if (known)
        return (int)known - 1;
    PyObject *told = UNSEEN(PyObject_CallOneArg(core->kind_of, code));
    if (!told)
        return -1;
    long kind = PyLong_AsLong(told);
    Py_DECREF(told);
    if (kind < 0 || map_put(&core->kinds, code, 0, (void *)(intptr_t)(kind + 1)) < 0)
        return -1;
    return (int)kind;
}

static inline int64_t
instruction(PyFrameObject *frame)
{
#if PY_VERSION_HEX >= 0x030B0000
    return PyFrame_GetLasti(frame);
#else
    return frame->f_lasti;
#endif
}

/* Return the number of the site, or -1 with an exception. */
static int64_t
site_of_any(Method *self, PyFrameObject *immediate)
{
    Core *core = self->core;
    if (core->untold && tell_lost(core) < 0)
        return -1;
    PyFrameObject *frame = (PyFrameObject *)Py_NewRef((PyObject *)immediate), *second = NULL, *chosen = NULL;
    int64_t site = -1;
    while (frame) {
        PyObject *code = (PyObject *)PyFrame_GetCode(frame);
        int kind = kind_of(core, code);
        Py_DECREF(code);
        if (kind < 0)
            goto done;
        if (kind == PROGRAM) {
            chosen = (PyFrameObject *)Py_NewRef((PyObject *)frame);
            break;
        }
        if (kind == LIBRARY && !second)
            second = (PyFrameObject *)Py_NewRef((PyObject *)frame);
        PyFrameObject *back = PyFrame_GetBack(frame);
        Py_DECREF(frame);
        frame = back;
        if (!frame && PyErr_Occurred()) /* there is no memory for its object */
            goto done;
    }
    int is_caller = chosen == immediate; /* whoever called it: a site found further out depends on that */
    if (!chosen)
        chosen = (PyFrameObject *)Py_NewRef((PyObject *)(second ? second : immediate));
    PyObject *code = (PyObject *)PyFrame_GetCode(chosen);
    int64_t at = instruction(chosen);
    intptr_t known = (intptr_t)map_get(&core->sites, code, at);
    if (!known) {
        PyObject *found = UNSEEN(PyObject_CallOneArg(core->find_site, (PyObject *)immediate));
        if (found) {
            known = (intptr_t)PyLong_AsLongLong(found) + 1;
            Py_DECREF(found);
            if (core->sites.used > 100000) { /* a program that makes code for ever must not fill our memory */
                core->epoch++;
                map_clear(&core->sites);
                map_clear(&core->kinds);
            }
            if (known > 0 && map_put(&core->sites, code, at, (void *)known) < 0)
                known = 0;
        }
    }
    if (known && is_caller) {
        self->last.epoch = core->epoch;
        self->last.code = code;
        self->last.at = at;
        self->last.site = known - 1;
    }
    Py_DECREF(code);
    site = known ? known - 1 : -1;
done:
    Py_XDECREF(frame);
    Py_XDECREF(second);
    Py_XDECREF(chosen);
    return site;
}

static inline int64_t
site_of(Method *self)
{
    PyFrameObject *immediate = PyEval_GetFrame();
    if (!immediate)
        return 0;
    if (self->is_behind) {
        PyFrameObject *caller = PyFrame_GetBack(immediate);
        int64_t site = caller ? site_of_any(self, caller) : PyErr_Occurred() ? -1 : 0;
        Py_XDECREF(caller);
        return site;
    }
    if (self->last.epoch == self->core->epoch && self->last.at == instruction(immediate)) {
        PyObject *code = (PyObject *)PyFrame_GetCode(immediate);
        Py_DECREF(code);
        if (code == self->last.code)
            return self->last.site;
    }
    return site_of_any(self, immediate);
}

/* Return the running thread, a new reference; NULL with an exception. */
static inline Thread *
thread_here(Core *core)
{
    if (here.generation == core->generation && here.thread)
        return (Thread *)Py_NewRef((PyObject *)here.thread);
    uint64_t generation = core->generation;
    PyObject *thread = UNSEEN(PyObject_CallNoArgs(core->enter_thread));
    if (!thread || !is_a(thread, core->thread_type))
        return NULL;
    if (generation == core->generation) { /* else a signal handler forked, and this is the child: the thread was its parent's */
        here.generation = generation;
        here.thread = (Thread *)thread; /* kept alive by the thread's own storage */
    }
    return (Thread *)thread;
}

/* A call of a wrapped method. */

typedef struct {
    Slot *slot;
    Segment *segment;
    Thread *thread;
    Entry *entry;
    int64_t number, parent, started_ns, asked, timeout_ns;
    uint64_t generation; /* of the tape it stands on */
    Counted counted;
} Call;

static int
as_number(PyObject *value, int64_t *number)
{
    PyObject *index = PyNumber_Index(value);
    if (!index)
        return -1;
    *number = PyLong_AsLongLong(index);
    Py_DECREF(index);
    return *number == -1 && PyErr_Occurred() ? -1 : 0;
}

static int
as_flags(PyObject *value, uint32_t *flags)
{
    if (!PyLong_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "flags");
        return -1;
    }
    *flags = (uint32_t)PyLong_AsUnsignedLongLongMask(value);
    return PyErr_Occurred() ? -1 : 0;
}

/* Give a Python callback the arguments as a tuple and a dict. */
static int
pack(PyObject *const *args, Py_ssize_t count, PyObject *names, PyObject **tuple, PyObject **dict)
{
    *dict = NULL;
    *tuple = PyTuple_New(count);
    if (!*tuple)
        return -1;
    for (Py_ssize_t at = 0; at < count; at++)
        PyTuple_SET_ITEM(*tuple, at, Py_NewRef(args[at]));
    *dict = PyDict_New();
    Py_ssize_t named = names ? PyTuple_GET_SIZE(names) : 0;
    for (Py_ssize_t at = 0; *dict && at < named; at++)
        if (PyDict_SetItem(*dict, PyTuple_GET_ITEM(names, at), args[count + at]) < 0)
            Py_CLEAR(*dict);
    if (*dict)
        return 0;
    Py_CLEAR(*tuple);
    return -1;
}

/* Find out what the call asks for: args without the socket. -1 with an exception: it cannot be described. */
static int
ask(Method *self, Call *call, PyObject *const *args, Py_ssize_t count, PyObject *names, uint32_t *flags, uint32_t *peer)
{
    call->asked = NOTHING;
    switch (self->ask_kind) {
    case ASK_NOTHING:
        return 0;
    case ASK_NUMBER:
        if (count && PyLong_CheckExact(args[0])) {
            call->asked = PyLong_AsLongLong(args[0]);
            if (call->asked == -1 && PyErr_Occurred())
                return -1;
        } else if (count && as_number(args[0], &call->asked) < 0)
            return -1;
        return count > 1 ? as_flags(args[1], flags) : 0;
    case ASK_READ:
        if (count == 1 && PyLong_CheckExact(args[0])) {
            call->asked = PyLong_AsLongLong(args[0]);
            return call->asked == -1 && PyErr_Occurred() ? -1 : 0;
        }
        break;
    case ASK_TRUTH:
        if (count == 1 && PyBool_Check(args[0])) {
            call->asked = args[0] == Py_True;
            return 0;
        }
        break;
    case ASK_BUFFER:
        if (count && PyBytes_CheckExact(args[0])) {
            call->asked = PyBytes_GET_SIZE(args[0]);
            return count > 1 ? as_flags(args[1], flags) : 0;
        }
    }
    PyObject *tuple, *dict, *told = NULL;
    if (pack(args, count, names, &tuple, &dict) < 0)
        return -1;
    told = UNSEEN(PyObject_CallFunctionObjArgs(self->ask, tuple, dict, NULL));
    Py_DECREF(tuple);
    Py_DECREF(dict);
    if (!told)
        return -1;
    int result = -1;
    PyObject *address = PyTuple_GET_ITEM(told, 2);
    if (as_number(PyTuple_GET_ITEM(told, 0), &call->asked) < 0 || as_flags(PyTuple_GET_ITEM(told, 1), flags) < 0)
        goto done;
    if (address != Py_None) {
        PyObject *number = UNSEEN(PyObject_CallFunctionObjArgs(self->core->address, (PyObject *)call->entry, address, NULL));
        if (!number)
            goto done;
        *peer = (uint32_t)PyLong_AsUnsignedLongMask(number);
        Py_DECREF(number);
    }
    result = PyErr_Occurred() ? -1 : 0;
done:
    Py_DECREF(told);
    return result;
}

/* Begin a tape of our own in a child that runs before its fork's hooks: nothing of its parent's is its own. -1 with an exception. */
static inline int
settle(Core *core)
{
    if (!core->forking || getpid() == core->forking)
        return 0;
    PyObject *done = UNSEEN(PyObject_CallNoArgs(core->refork));
    Py_XDECREF(done);
    return done ? 0 : -1;
}

/* Take the next slot of the tape, for a call of this thread. -1 with an exception. */
static int
take_place(Core *core, Call *call)
{
    call->slot = NULL;
    if (settle(core) < 0)
        return -1;
    call->generation = core->generation;
    call->number = core->next_call++;
    call->segment = segment_of(core, &core->calls, "c", call->number >> SLOT_BITS);
    if (!call->segment)
        return -1;
    if (!call->segment->base) {
        PyErr_SetString(PyExc_MemoryError, "no room for the tape");
        return -1;
    }
    call->slot = (Slot *)(call->segment->base + (call->number & ((1 << SLOT_BITS) - 1)) * SLOT_BYTES);
    call->segment->open_calls++; /* what follows may run Python, and other threads may move on */
    call->thread = thread_here(core);
    return call->thread ? 0 : -1;
}

/* Say that the call begins, now. */
static inline void
open_slot(Method *self, Call *call, uint32_t socket, uint32_t site, uint32_t flags, uint32_t peer, uint16_t operation)
{
    Slot *slot = call->slot;
    call->parent = call->thread->current;
    slot->thread = call->thread->id;
    slot->socket = socket;
    slot->asked = call->asked;
    slot->timeout_ns = call->timeout_ns;
    slot->parent = call->parent;
    slot->site = site;
    slot->flags = flags;
    slot->peer = peer;
    slot->operation = operation;
    slot->started_ns = call->started_ns = now_ns(&self->core->clock);
    __atomic_store_n(&slot->state, STATE_OPEN, __ATOMIC_RELEASE);
    call->thread->current = call->number + 1;
}

/* Find out whom the call is made on. -1 with an exception. */
static int
find_entry(Core *core, Call *call, PyObject *sock)
{
    call->entry = map_get(&core->entries, sock, 0);
    if (call->entry) {
        Py_INCREF(call->entry);
        return 0;
    }
    call->entry = meet_accepted(core, sock);
    if (call->entry)
        return 0;
    if (PyErr_Occurred() || (core->untold && tell_lost(core) < 0))
        return -1;
    PyObject *entry = UNSEEN(PyObject_CallOneArg(core->identify, sock));
    if (!entry || !is_a(entry, core->entry_type))
        return -1;
    call->entry = (Entry *)entry;
    return 0;
}

/* Open a slot. 0: the call may be made and recorded; -1: an exception tells why not. */
static int
begin(Method *self, Call *call, PyObject *sock, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    uint32_t flags = 0, peer = 0;
    if (take_place(self->core, call) < 0 || find_entry(self->core, call, sock) < 0)
        return -1;
    int64_t site = site_of(self);
    if (site < 0 || ask(self, call, args, count, names, &flags, &peer) < 0) {
        if (!PyErr_Occurred())
            PyErr_NoMemory();
        return -1;
    }
    call->timeout_ns = call->entry->timeout_ns;
    if (flags & 0x40 /* MSG_DONTWAIT */ && call->timeout_ns == -1)
        call->timeout_ns = 0;
    if (self->finish_kind == FINISH_CLOSED && leave_fd(self->core, call->entry, sock, &call->counted) < 0)
        return -1;
    uint16_t operation = call->entry->memory ? self->memory_operation : self->operation;
    open_slot(self, call, call->entry->id, (uint32_t)site, flags, peer, operation);
    return 0;
}

/* Whether a signal handler forked in the middle of the call, and this is the child: the call is its parent's, who will complete it. */
static inline int
is_of_parent(const Core *core, const Call *call)
{
    return call->generation != core->generation;
}

static void
leave(Call *call)
{
    if (call->slot)
        call->segment->open_calls--;
    Py_CLEAR(call->thread);
    Py_CLEAR(call->entry);
}

static void
complete(Call *call, int64_t ended_ns, int64_t result, int32_t code, uint16_t outcome)
{
    Slot *slot = call->slot;
    slot->duration_ns = ended_ns - call->started_ns;
    slot->result = result;
    slot->errno_ = code;
    slot->outcome = outcome;
    __atomic_store_n(&slot->state, STATE_COMPLETE, __ATOMIC_RELEASE);
}

/* Count an error of ours, which is dropped. -1 with an exception: a signal handler raised meanwhile. */
static int
swallow(Core *core)
{
    PyErr_Clear();
    PyObject *done = UNSEEN(PyObject_CallNoArgs(core->fault));
    Py_XDECREF(done);
    if (done)
        return 0;
    if (is_shortage()) { /* not even that: it goes uncounted */
        PyErr_Clear();
        return 0;
    }
    drop_own_frames();
    return -1; /* nothing else comes out of there: a signal handler raised */
}

/* The original raised: say what that means, and leave its exception as it was. */
static void
failed(Method *self, Call *call, int64_t ended_ns)
{
    PyObject *type, *value, *trace;
    PyObject *raised = PyErr_Occurred();
    if (self->blocking_is_eagain && call->timeout_ns == 0 && raised == PyExc_BlockingIOError) {
        complete(call, ended_ns, NOTHING, 11, WOULD_BLOCK);
        return;
    }
    if (self->through && raised && (raised == self->core->want_read || raised == self->core->want_write)) {
        complete(call, ended_ns, NOTHING, 0, raised == self->core->want_read ? WANT_READ : WANT_WRITE);
        return;
    }
    PyErr_Fetch(&type, &value, &trace);
    if (call->counted.known)
        keep_counted(self->core, call->entry, &call->counted);
    if (call->timeout_ns == 0 && type == PyExc_BlockingIOError && value && (PyObject *)Py_TYPE(value) == type) {
        PyObject *code = ((PyOSErrorObject *)value)->myerrno;
        if (code && PyLong_CheckExact(code) && PyLong_AsLong(code) == 11 /* EAGAIN */) {
            complete(call, ended_ns, NOTHING, 11, WOULD_BLOCK);
            PyErr_Restore(type, value, trace);
            return;
        }
    }
    PyErr_NormalizeException(&type, &value, &trace);
    if (trace && value)
        PyException_SetTraceback(value, trace);
    PyObject *told = UNSEEN(PyObject_CallFunction(self->core->failure, "OOLL", value ? value : Py_None,
                                                  call->entry ? (PyObject *)call->entry : Py_None,
                                                  call->entry ? (long long)call->timeout_ns : 0LL, (long long)call->started_ns));
    int outcome = FAILED, code = 0;
    if (told && !PyArg_ParseTuple(told, "ii", &outcome, &code))
        Py_CLEAR(told);
    int ours = told || is_ours(self->core);
    if (!told && ours)
        ours = swallow(self->core) == 0;
    Py_XDECREF(told);
    complete(call, ended_ns, NOTHING, code, (uint16_t)outcome);
    if (ours)
        PyErr_Restore(type, value, trace);
    else { /* a signal handler raised while we described the failure: as if it had come right behind it */
        Py_XDECREF(type);
        Py_XDECREF(value);
        Py_XDECREF(trace);
    }
}

/* The original returned: its result in numbers, its bytes on the tape. -1 with an exception of ours. */
static int
finish(Method *self, Call *call, PyObject *sock, PyObject *result, PyObject *const *args, Py_ssize_t count, PyObject *names, int64_t ended_ns)
{
    Core *core = self->core;
    switch (self->finish_kind) {
    case FINISH_NOTHING:
        complete(call, ended_ns, NOTHING, 0, OK);
        return 0;
    case FINISH_BYTES:
        if (PyBytes_CheckExact(result)) {
            int64_t moved = PyBytes_GET_SIZE(result);
            if (keep_payload(core, call->number, moved, PyBytes_AS_STRING(result)) < 0)
                return -1;
            if (moved)
                keep_received(call->thread, call->entry, call->number, moved, PyBytes_AS_STRING(result));
            complete(call, ended_ns, moved, 0, !moved && call->asked > 0 && call->entry->stream ? END_OF_STREAM : OK);
            return 0;
        }
        break;
    case FINISH_ACCEPTED: {
        int64_t number = accept_plainly(core, call->entry, result, ended_ns);
        if (number < 0)
            return -1;
        if (number) {
            complete(call, ended_ns, number, 0, OK);
            return 0;
        }
        break;
    }
    case FINISH_TIMEOUT:
        if (self->ask_kind == ASK_TRUTH ? count == 1 && PyBool_Check(args[0]) : call->asked == NOTHING || call->asked == 0) {
            int waits = self->ask_kind == ASK_TRUTH ? call->asked != 0 : call->asked == NOTHING;
            call->entry->timeout_ns = waits ? -1 : 0;
            complete(call, ended_ns, NOTHING, 0, OK);
            return 0;
        }
        break;
    case FINISH_CLOSED:
        if (note_closed(core, call->entry, ended_ns, "close", &call->counted) < 0)
            return -1;
        complete(call, ended_ns, NOTHING, 0, OK);
        return 0;
    case FINISH_COUNT:
    case FINISH_ALL:
        if (count && PyBytes_CheckExact(args[0])) {
            int64_t moved = call->asked;
            if (self->finish_kind == FINISH_COUNT && as_number(result, &moved) < 0)
                return -1;
            if (keep_payload(core, call->number, moved, PyBytes_AS_STRING(args[0])) < 0)
                return -1;
            complete(call, ended_ns, moved, 0, OK);
            return 0;
        }
    }
    PyObject *tuple, *dict, *told;
    if (pack(args, count, names, &tuple, &dict) < 0)
        return -1;
    long long at = (char *)call->slot - call->segment->base;
    told = UNSEEN(PyObject_CallFunction(self->finish, "OOOOOLOLLL", (PyObject *)call->entry, sock, tuple, dict, result,
                                        (long long)call->number, call->segment->mapping, at, (long long)call->asked,
                                        (long long)ended_ns));
    Py_DECREF(tuple);
    Py_DECREF(dict);
    if (!told)
        return -1;
    long long moved;
    int outcome, code, parsed = PyArg_ParseTuple(told, "Lii", &moved, &outcome, &code);
    Py_DECREF(told);
    if (!parsed)
        return -1;
    complete(call, ended_ns, moved, code, (uint16_t)outcome);
    return 0;
}

/* Count what was lost and is not told yet; where there is no room for that, another time. -1 with what a signal handler raised. */
static int
tell_lost(Core *core)
{
    int64_t lost = core->untold;
    if (!lost || !core->lose)
        return 0;
    core->untold = 0;
    PyObject *done = UNSEEN(PyObject_CallFunction(core->lose, "L", (long long)lost));
    Py_XDECREF(done);
    if (done)
        return 0;
    core->untold += lost;
    if (!is_ours(core))
        return -1;
    PyErr_Clear();
    return 0;
}

/* Make a call that has no slot. args with the object; is_short: no Python of ours may come in between, there is no room for it. */
static PyObject *
unrecorded(Method *self, int is_short, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    Core *core = self->core;
    PyObject *tuple, *dict, *result = NULL;
    if (!is_short && core->unrecorded && pack(args + 1, count - 1, names, &tuple, &dict) == 0) {
        result = PyObject_CallFunctionObjArgs(core->unrecorded, self->original, args[0], tuple, dict, NULL);
        Py_DECREF(tuple);
        Py_DECREF(dict);
        return result;
    }
    PyErr_Clear();
    result = self->original_vectorcall(self->original, args, count, names);
    PyObject *type, *value, *trace;
    if (result || !(PyErr_ExceptionMatches(PyExc_TypeError) || PyErr_ExceptionMatches(PyExc_ValueError) ||
                    PyErr_ExceptionMatches(PyExc_OverflowError))) /* wrong arguments never reach the kernel */
        core->untold++;
    PyErr_Fetch(&type, &value, &trace);
    if (tell_lost(core) == 0) {
        PyErr_Restore(type, value, trace);
        return result;
    }
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
    Py_XDECREF(result);
    return NULL;
}

/* Make a call that could not be begun, an exception tells why: bare, unless a signal handler raised that, before the call was made.
   args with the object. */
static PyObject *
not_begun(Method *self, Call *call, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    int is_short = is_shortage(), ours = is_ours(self->core);
    if (call->slot)
        __atomic_store_n(&call->slot->state, STATE_VOID, __ATOMIC_RELEASE);
    leave(call);
    if (!ours)
        return NULL;
    PyErr_Clear();
    return unrecorded(self, is_short, args, count, names);
}

/* Write down when what a receive returned had arrived. */
static void
take_arrival(Method *self, Call *call, PyObject *result, int64_t ended_ns)
{
    int64_t real_ns = arrival.real_ns;
    arrival.real_ns = 0;
    if (!result || self->operation < RECV || self->operation > RECVMSG_INTO)
        return;
    call->slot->ready_ns = ready_of(&self->core->offset, real_ns, ended_ns);
    call->slot->ready_source = call->slot->ready_ns ? FROM_KERNEL : 0;
}

/* The end of a call that returned and that we could not describe; returns what the program gets. */
static PyObject *
finish_badly(Method *self, Call *call, PyObject *result, int64_t ended_ns)
{
    if (is_ours(self->core)) {
        complete(call, ended_ns, NOTHING, 0, OK);
        if (swallow(self->core) < 0)
            Py_CLEAR(result);
    } else { /* a signal handler raised while we described the call */
        complete(call, ended_ns, NOTHING, 0, INTERRUPTED);
        Py_CLEAR(result);
    }
    return result;
}

/* Whether a socket has been closed already, and has no descriptor left: closing it again does nothing, and is no call. */
static int
is_gone(Core *core, PyObject *sock)
{
    Entry *entry = map_get(&core->entries, sock, 0);
    return entry && !entry->open && fd_of(core, sock) < 0;
}

static PyObject *
recorded(Method *self, PyObject *sock, PyObject *const *args, size_t nargsf, PyObject *names)
{
    if (self->finish_kind == FINISH_CLOSED && is_gone(self->core, sock))
        return PyObject_Vectorcall(self->original, args, nargsf, names);
    Py_ssize_t count = PyVectorcall_NARGS(nargsf);
    Call call = {0};
    if (begin(self, &call, sock, args + 1, count - 1, names) < 0)
        return not_begun(self, &call, args, count, names);
    int outside = arrival.fd; /* of a receive that a signal came in, whose handler makes this call */
    arrival.fd = self->core->offset.on ? call.entry->stamped : -1;
    PyObject *result = self->original_vectorcall(self->original, args, nargsf & ~PY_VECTORCALL_ARGUMENTS_OFFSET, names);
    int64_t ended_ns = now_ns(&self->core->clock);
    arrival.fd = outside;
    call.thread->current = call.parent;
    if (is_of_parent(self->core, &call)) {
        arrival.real_ns = 0;
        leave(&call);
        return result;
    }
    if (arrival.real_ns)
        take_arrival(self, &call, result, ended_ns);
    if (!result)
        failed(self, &call, ended_ns);
    else if (finish(self, &call, sock, result, args + 1, count - 1, names, ended_ns) < 0)
        result = finish_badly(self, &call, result, ended_ns);
    leave(&call);
    return result;
}

#include "waits.h"

static PyObject *
Method_vectorcall(PyObject *callable, PyObject *const *args, size_t nargsf, PyObject *names)
{
    Method *self = (Method *)callable;
    Py_ssize_t count = PyVectorcall_NARGS(nargsf);
    if (count < 1 || !self->core->map_segment /* cleared: the end is near */)
        return PyObject_Vectorcall(self->original, args, nargsf, names);
    if (Py_TYPE(args[0]) != self->seen) {
        if (!PyObject_TypeCheck(args[0], (PyTypeObject *)self->owner))
            return PyObject_Vectorcall(self->original, args, nargsf, names); /* raises what it always raised */
        self->seen = Py_TYPE(args[0]);
    }
    if (self->ask_kind >= ASK_EPOLL)
        return waited(self, args, nargsf, names);
    if (!self->through)
        return recorded(self, args[0], args, nargsf, names);
    PyObject *owner = PyObject_GetAttr(args[0], self->through), *result;
    if (!owner)
        PyErr_Clear();
    if (!owner || owner == Py_None)
        result = PyObject_Vectorcall(self->original, args, nargsf, names);
    else
        result = recorded(self, owner, args, nargsf, names);
    Py_XDECREF(owner);
    return result;
}

static PyObject *
Method_get(PyObject *self, PyObject *sock, PyObject *owner)
{
    if (!sock || sock == Py_None)
        return Py_NewRef(self);
    if (!PyObject_TypeCheck(sock, (PyTypeObject *)((Method *)self)->owner)) {
        PyObject *original = ((Method *)self)->original;
        return Py_TYPE(original)->tp_descr_get(original, sock, owner); /* raises what it always raised */
    }
    return PyObject_CallFunctionObjArgs(((Method *)self)->bound_type, self, sock, NULL);
}

/* Everything that is not being called is answered by the original. */
static PyObject *
Method_getattro(PyObject *self, PyObject *name)
{
    PyObject *original = ((Method *)self)->original;
    if (PyUnicode_Check(name)) {
        if (PyUnicode_CompareWithASCIIString(name, "__call__") == 0 || PyUnicode_CompareWithASCIIString(name, "__get__") == 0 ||
            PyUnicode_CompareWithASCIIString(name, "__deepcopy__") == 0)
            return PyObject_GenericGetAttr(self, name);
    }
    return PyObject_GetAttr(original, name);
}

static int
Method_setattro(PyObject *self, PyObject *name, PyObject *value)
{
    return PyObject_SetAttr(((Method *)self)->original, name, value);
}

static PyObject *
Method_repr(PyObject *self)
{
    return PyObject_Repr(((Method *)self)->original);
}

static Py_hash_t
Method_hash(PyObject *self)
{
    return PyObject_Hash(((Method *)self)->original);
}

static PyObject *
Method_compare(PyObject *self, PyObject *other, int how)
{
    if (how != Py_EQ && how != Py_NE)
        Py_RETURN_NOTIMPLEMENTED;
    int same = self == other || ((Method *)self)->original == other;
    return PyBool_FromLong(how == Py_EQ ? same : !same);
}

static PyObject *
Method_reduce(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return PyObject_CallMethod(((Method *)self)->original, "__reduce__", NULL);
}

static PyObject *
Method_self(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return Py_NewRef(self);
}

static int
Method_traverse(Method *self, visitproc visit, void *arg)
{
    Py_VISIT(self->core);
    Py_VISIT(self->original);
    Py_VISIT(self->bound_type);
    Py_VISIT(self->ask);
    Py_VISIT(self->finish);
    Py_VISIT(self->owner);
    Py_VISIT(Py_TYPE(self));
    return 0;
}

static int
Method_clear(Method *self)
{
    Py_CLEAR(self->ask);
    Py_CLEAR(self->finish);
    return 0;
}

static void
Method_dealloc(Method *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Method_clear(self);
    Py_CLEAR(self->core);
    Py_CLEAR(self->original);
    Py_CLEAR(self->bound_type);
    Py_CLEAR(self->owner);
    Py_CLEAR(self->through);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyMethodDef Method_methods[] = {{"__reduce__", Method_reduce, METH_NOARGS, NULL},
                                       {"__copy__", Method_self, METH_NOARGS, NULL},
                                       {"__deepcopy__", Method_self, METH_O, NULL},
                                       {NULL}};
static PyMemberDef Method_members[] = {{"__vectorcalloffset__", T_PYSSIZET, offsetof(Method, vectorcall), READONLY, NULL},
                                       {"_original", T_OBJECT, offsetof(Method, original), READONLY, NULL}, /* for lookalike.py */
                                       {NULL}};
static PyType_Slot Method_slots[] = {{Py_tp_call, PyVectorcall_Call},
                                     {Py_tp_descr_get, Method_get},
                                     {Py_tp_getattro, Method_getattro},
                                     {Py_tp_setattro, Method_setattro},
                                     {Py_tp_repr, Method_repr},
                                     {Py_tp_hash, Method_hash},
                                     {Py_tp_richcompare, Method_compare},
                                     {Py_tp_methods, Method_methods},
                                     {Py_tp_members, Method_members},
                                     {Py_tp_traverse, Method_traverse},
                                     {Py_tp_clear, Method_clear},
                                     {Py_tp_dealloc, Method_dealloc},
                                     {0, NULL}};
static PyType_Spec Method_spec = {
    "builtins.method_descriptor", sizeof(Method), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR | Py_TPFLAGS_DISALLOW_INSTANTIATION |
        Py_TPFLAGS_IMMUTABLETYPE, /* or the interpreter would not specialise the look-up of `sock.recv` */
    Method_slots};

/* Veil: what a hook written in Python is called through, so that no traceback of the program shows frames of ours. */

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject *hooked;
    int is_unseen; /* nothing of the program runs inside of it but signal handlers */
} Veil;

static PyObject *
Veil_vectorcall(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *names)
{
    PyObject *hooked = ((Veil *)self)->hooked, *result;
    if (((Veil *)self)->is_unseen)
        result = UNSEEN(PyObject_Vectorcall(hooked, args, nargsf, names));
    else
        result = PyObject_Vectorcall(hooked, args, nargsf, names);
    if (!result)
        drop_own_frames();
    return result;
}

static PyObject *
Veil_new(PyTypeObject *type, PyObject *args, PyObject *kw)
{
    static char *names[] = {"hooked", "folder", "is_unseen", NULL};
    PyObject *hooked;
    const char *folder;
    int is_unseen;
    if (!PyArg_ParseTupleAndKeywords(args, kw, "Osp", names, &hooked, &folder, &is_unseen))
        return NULL;
    if (strlen(folder) < sizeof own_prefix)
        strcpy(own_prefix, folder);
    Veil *self = (Veil *)type->tp_alloc(type, 0);
    if (!self)
        return NULL;
    self->vectorcall = Veil_vectorcall;
    self->is_unseen = is_unseen;
    self->hooked = Py_NewRef(hooked);
    return (PyObject *)self;
}

static PyObject *
Veil_getattro(PyObject *self, PyObject *name)
{
    return PyObject_GetAttr(((Veil *)self)->hooked, name);
}

static int
Veil_traverse(Veil *self, visitproc visit, void *arg)
{
    Py_VISIT(self->hooked);
    Py_VISIT(Py_TYPE(self));
    return 0;
}

/* No tp_clear: a veil is called until the end, and what it holds breaks the cycles. */
static void
Veil_dealloc(Veil *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_CLEAR(self->hooked);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyMemberDef Veil_members[] = {{"__vectorcalloffset__", T_PYSSIZET, offsetof(Veil, vectorcall), READONLY, NULL}, {NULL}};
static PyType_Slot Veil_slots[] = {{Py_tp_new, Veil_new},           {Py_tp_call, PyVectorcall_Call}, {Py_tp_getattro, Veil_getattro},
                                   {Py_tp_members, Veil_members},   {Py_tp_traverse, Veil_traverse}, {Py_tp_dealloc, Veil_dealloc},
                                   {0, NULL}};
static PyType_Spec Veil_spec = {"_sockreel_agent._core.Veil", sizeof(Veil), 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_IMMUTABLETYPE, Veil_slots};

/* Core: the state, and what Python asks of it. */

typedef struct {
    PyTypeObject *method_type, *entry_type, *thread_type;
} ModuleState;

static int
Core_init(Core *self, PyObject *args, PyObject *kw)
{
    static char *names[] = {"payload_bytes", "ticks",      "map_segment", "enter_thread", "identify", "find_site", "kind_of",
                            "failure",       "unrecorded", "lose",        "fault",        "address",  "of_handler", "refork",  NULL};
    PyObject *map_segment, *enter_thread, *identify, *find_site, *kind_of, *failure, *unrecorded, *lose, *fault, *address, *of_handler, *refork;
    long long payload_bytes;
    int ticks;
    if (!PyArg_ParseTupleAndKeywords(args, kw, "LpOOOOOOOOOOOO", names, &payload_bytes, &ticks, &map_segment, &enter_thread, &identify, &find_site,
                                     &kind_of, &failure, &unrecorded, &lose, &fault, &address, &of_handler, &refork))
        return -1;
    ModuleState *module = PyType_GetModuleState(Py_TYPE(self));
    if (!module)
        return -1;
    Py_XSETREF(self->entry_type, (PyTypeObject *)Py_NewRef((PyObject *)module->entry_type));
    Py_XSETREF(self->thread_type, (PyTypeObject *)Py_NewRef((PyObject *)module->thread_type));
    self->payload_bytes = payload_bytes;
#if defined(__x86_64__)
    self->clock.on = ticks;
#endif
    self->generation = ++generations;
    self->epoch++; /* never 0, which a new Method has */
    self->entries.own_values = 1;
    self->sites.own_keys = self->kinds.own_keys = 1;
#define TAKE(name) Py_XSETREF(self->name, Py_NewRef(name));
    CORE_OBJECTS(TAKE)
    Py_XSETREF(self->accepted_role, PyUnicode_InternFromString("accepted"));
    Py_XSETREF(self->fileno_name, PyUnicode_InternFromString("fileno"));
    return self->accepted_role && self->fileno_name ? 0 : -1;
}

static PyObject *
Core_look_from(Core *self, PyObject *fd)
{
    long number = PyLong_AsLong(fd);
    if (number == -1 && PyErr_Occurred())
        return NULL;
    self->look_from = number;
    Py_RETURN_NONE;
}

/* Share what Sockets keeps: its dictionaries and, of what it does, what is rare. */
static PyObject *
Core_share(Core *self, PyObject *args, PyObject *kw)
{
    static char *names[] = {"by_fd", "by_inode", "by_place", "counted", "files", "next_socket", "name_unbound",
                            "number_of_fd", "raw_type", "raw_fileno", "raw_gettimeout", NULL};
    PyObject *by_fd, *by_inode, *by_place, *counted, *files, *next_socket, *name_unbound, *number_of_fd, *raw_type, *raw_fileno,
        *raw_gettimeout;
    if (!PyArg_ParseTupleAndKeywords(args, kw, "O!O!O!O!OOOOO!OO", names, &PyDict_Type, &by_fd, &PyDict_Type, &by_inode, &PyDict_Type,
                                     &by_place, &PyDict_Type, &counted, &files, &next_socket, &name_unbound, &number_of_fd,
                                     &PyType_Type, &raw_type, &raw_fileno, &raw_gettimeout))
        return NULL;
    SOCKETS_OBJECTS(TAKE)
    Py_RETURN_NONE;
}

static void
forget_all(Core *self)
{
    Segment *lists[2] = {self->calls, self->notes};
    self->calls = self->notes = NULL;
    for (int list = 0; list < 2; list++)
        while (lists[list]) {
            Segment *next = lists[list]->next;
            if (lists[list]->open_calls == 0)
                segment_free(lists[list]); /* one with a call still open is left to the process' end */
            lists[list] = next;
        }
    self->epoch++;
    map_clear(&self->entries);
    map_clear(&self->sites);
    map_clear(&self->kinds);
}

static PyObject *
Core_reset(Core *self, PyObject *Py_UNUSED(ignored))
{
    forget_all(self);
    self->next_call = self->next_cell = 0;
    self->forking = 0;
    self->generation = ++generations;
    Py_RETURN_NONE;
}

/* A fork begins (true) or is over (false) in the process that forks. */
static PyObject *
Core_forks(Core *self, PyObject *begins)
{
    int truth = PyObject_IsTrue(begins);
    if (truth < 0)
        return NULL;
    self->forking = truth ? getpid() : 0;
    Py_RETURN_NONE;
}

static PyObject *
Core_next_call(Core *self, PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromLongLong(self->next_call++);
}

static PyObject *
Core_next_cell(Core *self, PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromLongLong(self->next_cell++);
}

static PyObject *
Core_remember(Core *self, PyObject *args)
{
    PyObject *sock, *entry;
    if (!PyArg_ParseTuple(args, "OO", &sock, &entry))
        return NULL;
    if (map_put(&self->entries, sock, 0, entry) < 0)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

static PyObject *
Core_adopt(Core *self, PyObject *args)
{
    PyObject *sock, *entry;
    if (!PyArg_ParseTuple(args, "OO!", &sock, self->entry_type, &entry))
        return NULL;
    if (adopt(self, sock, (Entry *)entry) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* Call a function of ours with what else is given, where what is raised goes nowhere: what a signal handler raises comes up later. */
static PyObject *
Core_at_the_end(Core *self, PyObject *args)
{
    if (PyTuple_GET_SIZE(args) != 2) {
        PyErr_SetString(PyExc_TypeError, "at_the_end(function, argument)");
        return NULL;
    }
    PyObject *done = UNSEEN(PyObject_CallOneArg(PyTuple_GET_ITEM(args, 0), PyTuple_GET_ITEM(args, 1)));
    if (!done)
        drop_or_keep(self);
    Py_XDECREF(done);
    Py_RETURN_NONE;
}

static PyObject *
Core_wants(Core *self, PyObject *args)
{
    PyObject *want_read, *want_write;
    if (!PyArg_ParseTuple(args, "OO", &want_read, &want_write))
        return NULL;
    Py_XSETREF(self->want_read, Py_NewRef(want_read));
    Py_XSETREF(self->want_write, Py_NewRef(want_write));
    Py_RETURN_NONE;
}

static PyObject *
Core_forget(Core *self, PyObject *id)
{
    void *sock = PyLong_AsVoidPtr(id);
    if (!sock && PyErr_Occurred())
        return NULL;
    map_remove(&self->entries, sock, 0);
    Py_RETURN_NONE;
}

static PyObject *
Core_entry(Core *self, PyObject *id)
{
    void *sock = PyLong_AsVoidPtr(id);
    if (!sock && PyErr_Occurred())
        return NULL;
    PyObject *entry = map_get(&self->entries, sock, 0);
    return Py_NewRef(entry ? entry : Py_None);
}

static PyObject *
Core_method(Core *self, PyTypeObject *cls, PyObject *const *args, Py_ssize_t nargs, PyObject *names)
{
    if (nargs != 9) {
        PyErr_SetString(PyExc_TypeError, "method(original, operation, ask_kind, ask, finish_kind, finish, bound_type, memory_operation, owner)");
        return NULL;
    }
    ModuleState *module = PyType_GetModuleState(cls);
    if (!module)
        return NULL;
    Method *method = (Method *)module->method_type->tp_alloc(module->method_type, 0);
    if (!method)
        return NULL;
    method->vectorcall = Method_vectorcall;
    method->original_vectorcall = PyVectorcall_Function(args[0]);
    if (!method->original_vectorcall) {
        Py_DECREF(method);
        PyErr_SetString(PyExc_TypeError, "a method descriptor is wanted");
        return NULL;
    }
    method->core = (Core *)Py_NewRef((PyObject *)self);
    method->original = Py_NewRef(args[0]);
    method->operation = (uint16_t)PyLong_AsLong(args[1]);
    method->ask_kind = (int)PyLong_AsLong(args[2]);
    method->ask = Py_NewRef(args[3]);
    method->finish_kind = (int)PyLong_AsLong(args[4]);
    method->finish = Py_NewRef(args[5]);
    method->bound_type = Py_NewRef(args[6]);
    if (args[7] != Py_None) {
        method->memory_operation = (uint16_t)PyLong_AsLong(args[7]);
        method->through = PyUnicode_InternFromString("owner");
    }
    method->blocking_is_eagain = method->ask_kind <= ASK_NUMBER;
    method->is_behind = args[8] != Py_None;
    method->owner = method->is_behind ? Py_NewRef(args[8]) : PyObject_GetAttrString(args[0], "__objclass__");
    method->has_number = method->ask_kind >= ASK_EPOLL && method->owner && PyObject_HasAttrString(method->owner, "fileno");
    if (!method->owner || PyErr_Occurred()) {
        Py_DECREF(method);
        return NULL;
    }
    return (PyObject *)method;
}

static int
Core_traverse(Core *self, visitproc visit, void *arg)
{
    CORE_OBJECTS(VISIT)
    SOCKETS_OBJECTS(VISIT)
    Py_VISIT(self->want_read);
    Py_VISIT(self->want_write);
    Py_VISIT(self->entry_type);
    Py_VISIT(self->thread_type);
    for (size_t at = 0; at < self->entries.size; at++)
        if (self->entries.places[at].pointer && self->entries.places[at].pointer != TOMB)
            Py_VISIT((PyObject *)self->entries.places[at].value);
    Py_VISIT(Py_TYPE(self));
    return 0;
}

static int
Core_clear(Core *self)
{
    CORE_OBJECTS(CLEAR)
    SOCKETS_OBJECTS(CLEAR)
    Py_CLEAR(self->accepted_role);
    Py_CLEAR(self->fileno_name);
    Py_CLEAR(self->want_read);
    Py_CLEAR(self->want_write);
    Py_CLEAR(self->entry_type);
    Py_CLEAR(self->thread_type);
    forget_all(self);
    return 0;
}

static void
Core_dealloc(Core *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Core_clear(self);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

/* Begin to ask for the kernel's times, once the receives are led through us. */
static PyObject *
Core_watch_arrivals(Core *self, PyObject *Py_UNUSED(ignored))
{
    self->offset.on = 1;
    self->offset.distance_ns = measure_distance(&self->offset.since_ns);
    Py_RETURN_NONE;
}

/* Ask for the kernel's times on the socket of a descriptor; whether we get them. */
static PyObject *
Core_stamp(Core *self, PyObject *descriptor)
{
    long fd = PyLong_AsLong(descriptor);
    if (fd == -1 && PyErr_Occurred())
        return NULL;
    return PyBool_FromLong(self->offset.on && fd >= 0 && stamp((int)fd));
}

static PyMethodDef Core_methods[] = {
    {"reset", (PyCFunction)Core_reset, METH_NOARGS, "Start an empty tape: after a fork."},
    {"forks", (PyCFunction)Core_forks, METH_O, "Say that a fork begins, or is over."},
    {"next_call", (PyCFunction)Core_next_call, METH_NOARGS, "Return the next slot's number."},
    {"next_cell", (PyCFunction)Core_next_cell, METH_NOARGS, "Return the next cell's number."},
    {"share", (PyCFunction)(void (*)(void))Core_share, METH_VARARGS | METH_KEYWORDS, "Share what Sockets keeps."},
    {"look_from", (PyCFunction)Core_look_from, METH_O, "Leave accepted descriptors from this one on to Python."},
    {"remember", (PyCFunction)Core_remember, METH_VARARGS, "Keep the Entry of an object."},
    {"adopt", (PyCFunction)Core_adopt, METH_VARARGS, "Keep the Entry of an object as long as that lives."},
    {"at_the_end", (PyCFunction)Core_at_the_end, METH_VARARGS, "Call a function where nothing can be raised."},
    {"wants", (PyCFunction)Core_wants, METH_VARARGS, "Know the exceptions of TLS that wants to read or write first."},
    {"forget", (PyCFunction)Core_forget, METH_O, "Drop the Entry of the object with this id."},
    {"entry", (PyCFunction)Core_entry, METH_O, "Return the Entry of the object with this id, or None."},
    {"watch_arrivals", (PyCFunction)Core_watch_arrivals, METH_NOARGS, "Ask for the kernel's times from now on."},
    {"stamp", (PyCFunction)Core_stamp, METH_O, "Ask for the kernel's times on a descriptor."},
    {"method", (PyCFunction)(void (*)(void))Core_method, METH_METHOD | METH_FASTCALL | METH_KEYWORDS, "Return a recording method."},
    {NULL}};
static PyType_Slot Core_slots[] = {{Py_tp_init, Core_init},         {Py_tp_new, PyType_GenericNew},
                                   {Py_tp_methods, Core_methods},   {Py_tp_traverse, Core_traverse},
                                   {Py_tp_clear, Core_clear},       {Py_tp_dealloc, Core_dealloc},
                                   {0, NULL}};
static PyType_Spec Core_spec = {"_sockreel_agent._core.Core", sizeof(Core), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, Core_slots};

/* Lead the receives of `_socket` through us, for good; `method` is any method of its class. */
static PyObject *
module_lead_through(PyObject *Py_UNUSED(module), PyObject *method)
{
    static const char *refused = ""; /* not tried yet; NULL: it was done */
    if (!PyObject_TypeCheck(method, &PyMethodDescr_Type)) {
        PyErr_SetString(PyExc_TypeError, "a method descriptor is wanted");
        return NULL;
    }
    if (refused && !*refused)
        refused = lead_through((void *)((PyMethodDescrObject *)method)->d_method->ml_meth);
    if (refused) {
        PyErr_SetString(PyExc_OSError, refused);
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyMethodDef module_methods[] = {
    {"lead_through", module_lead_through, METH_O, "Lead the receives of `_socket` through us, for good. Raises OSError where that cannot be."},
    {NULL}};

static int
module_exec(PyObject *module)
{
    ModuleState *state = PyModule_GetState(module);
    static const struct {
        PyType_Spec *spec;
        const char *name;
    } types[] = {{&Entry_spec, "Entry"}, {&Thread_spec, "Thread"}, {&Core_spec, "Core"}, {&Method_spec, "Method"}, {&Veil_spec, "Veil"},
                 {&Handler_spec, "Handler"}, {&Numbers_spec, "Numbers"}, {&Gate_spec, "Gate"}};
    for (size_t at = 0; at < sizeof types / sizeof *types; at++) {
        PyObject *type = PyType_FromModuleAndSpec(module, types[at].spec, NULL);
        if (!type || PyModule_AddObjectRef(module, types[at].name, type) < 0) {
            Py_XDECREF(type);
            return -1;
        }
        if (types[at].spec == &Method_spec || types[at].spec == &Gate_spec) /* messages of the interpreter name it: without its module */
            ((PyTypeObject *)type)->tp_name = strrchr(types[at].spec->name, '.') + 1;
        if (types[at].spec == &Method_spec)
            state->method_type = (PyTypeObject *)type;
        else if (types[at].spec == &Entry_spec)
            state->entry_type = (PyTypeObject *)type;
        else if (types[at].spec == &Thread_spec)
            state->thread_type = (PyTypeObject *)type;
        else
            Py_DECREF(type);
    }
    PyObject *layout = Py_BuildValue("{s:i,s:i,s:i,s:i,s:i,s:i}", "SLOT_BYTES", SLOT_BYTES, "SLOT_BITS", SLOT_BITS, "CELL_BYTES", CELL_BYTES,
                                     "CELL_BITS", CELL_BITS, "CELL_DATA_BYTES", CELL_DATA_BYTES, "NOTE_PAYLOAD", NOTE_PAYLOAD);
    if (!layout)
        return -1;
    int added = PyModule_AddObjectRef(module, "LAYOUT", layout);
    Py_DECREF(layout);
    if (added < 0)
        return -1;
    static const struct {
        const char *name;
        int value;
#define KIND(name) {#name, name}
    } kinds[] = {KIND(ASK_NOTHING), KIND(ASK_NUMBER), KIND(ASK_BUFFER), KIND(ASK_READ), KIND(ASK_TRUTH),
                 KIND(ASK_PYTHON), KIND(ASK_EPOLL), KIND(ASK_POLL), KIND(ASK_INTEREST), KIND(ASK_NO_INTEREST),
                 KIND(FINISH_NOTHING), KIND(FINISH_BYTES), KIND(FINISH_COUNT), KIND(FINISH_ALL), KIND(FINISH_ACCEPTED),
                 KIND(FINISH_TIMEOUT), KIND(FINISH_CLOSED), KIND(FINISH_PYTHON)};
    for (size_t at = 0; at < sizeof kinds / sizeof *kinds; at++)
        if (PyModule_AddIntConstant(module, kinds[at].name, kinds[at].value) < 0)
            return -1;
    return 0;
}

static int
module_traverse(PyObject *module, visitproc visit, void *arg)
{
    ModuleState *state = PyModule_GetState(module);
    Py_VISIT(state->method_type);
    Py_VISIT(state->entry_type);
    Py_VISIT(state->thread_type);
    return 0;
}

static int
module_clear(PyObject *module)
{
    ModuleState *state = PyModule_GetState(module);
    Py_CLEAR(state->method_type);
    Py_CLEAR(state->entry_type);
    Py_CLEAR(state->thread_type);
    return 0;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, module_exec},
#if PY_VERSION_HEX >= 0x030C0000
                                          {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_SUPPORTED},
#endif
                                          {0, NULL}};
static struct PyModuleDef module_def = {.m_base = PyModuleDef_HEAD_INIT,
                                        .m_name = "_core",
                                        .m_doc = "The C core of the agent; see python_core.py, its twin.",
                                        .m_size = sizeof(ModuleState),
                                        .m_methods = module_methods,
                                        .m_traverse = module_traverse,
                                        .m_clear = module_clear,
                                        .m_slots = module_slots};

PyMODINIT_FUNC
PyInit__core(void)
{
    return PyModuleDef_Init(&module_def);
}
