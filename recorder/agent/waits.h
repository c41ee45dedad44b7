/* Waits of epoll and poll objects, and what they are told to watch: waits.py does the same, and all that is not plain.
 *
 * Owns what such a call asks and reports, in the shapes that programs and `selectors` use: numbers and sockets, no
 * names. Included where Method and Call are defined. */

#ifndef SOCKREEL_WAITS_H
#define SOCKREEL_WAITS_H

#define MOST_NOTED 4096 /* sockets of one wait, as in waits.py */

typedef struct {
    int64_t asked, timeout_ns;
    int64_t watched; /* the number of the socket of register and its like, -1: none */
    int64_t interest;
    PyObject *number; /* its descriptor where an object was given, owned: what the original is called with */
} Wait;

/* Return the number of what is open on a descriptor: Sockets.number_of_fd. -1 with an exception. */
static int64_t
number_of_fd(Core *core, PyObject *fd)
{
    PyObject *found = core->by_fd ? PyDict_GetItemWithError(core->by_fd, fd) : NULL;
    if (found && Py_TYPE(found) == core->entry_type) {
        Entry *entry = (Entry *)found;
        if (entry->open && (entry->family >= 0 || inode_of(entry->fd) == (int64_t)entry->inode))
            return entry->id;
    }
    PyErr_Clear();
    PyObject *told = UNSEEN(PyObject_CallOneArg(core->number_of_fd, fd));
    int64_t number = told ? PyLong_AsLongLong(told) : -1;
    Py_XDECREF(told);
    return number;
}

/* Return a timeout in ns: -1 for None and below 0; -2: Python finds out.
 * unit_ns: of the argument. */
static int64_t
wait_of(PyObject *timeout, int64_t unit_ns)
{
    if (!timeout || timeout == Py_None)
        return -1;
    double units;
    if (PyFloat_CheckExact(timeout))
        units = PyFloat_AS_DOUBLE(timeout);
    else if (PyLong_CheckExact(timeout)) {
        int overflow;
        long long whole = PyLong_AsLongLongAndOverflow(timeout, &overflow);
        if (overflow || whole > INT64_MAX / unit_ns)
            return -2;
        return whole < 0 ? -1 : whole * unit_ns;
    } else
        return -2;
    if (units < 0)
        return -1;
    return units < 9e18 / (double)unit_ns ? (int64_t)(units * (double)unit_ns) : -2; /* not a number: asked of Python */
}

/* Find out what register, modify or unregister is told. 1, 0: ask Python, -1 with an exception of the program's. */
static int
told_to_watch(Method *self, Wait *wait, PyObject *const *args, Py_ssize_t count)
{
    Core *core = self->core;
    if (count < 1 || count > 2)
        return 0;
    PyObject *fd = args[0];
    if (!PyLong_CheckExact(fd)) {
        if (!PyObject_TypeCheck(fd, (PyTypeObject *)core->raw_type))
            return 0;
        fd = wait->number = PyObject_CallMethodNoArgs(fd, core->fileno_name); /* may be the program's own */
        if (!fd)
            return -1;
        if (!PyLong_CheckExact(fd)) {
            if (!PyLong_Check(fd))
                Py_CLEAR(wait->number);
            return 0;
        }
    }
    int overflow;
    long number = PyLong_AsLongAndOverflow(fd, &overflow);
    if (overflow || number > INT_MAX)
        return 0;
    if (count > 1) {
        if (!PyLong_CheckExact(args[1]))
            return 0;
        wait->interest = PyLong_AsLongLongAndOverflow(args[1], &overflow);
        if (overflow)
            return 0;
    }
    if (self->ask_kind == ASK_NO_INTEREST)
        wait->interest = -1;
    wait->watched = number < 0 ? -1 : number_of_fd(core, fd);
    if (number >= 0 && wait->watched < 0) {
        if (!is_ours(core))
            return -1;
        PyErr_Clear();
        return 0;
    }
    return 1;
}

/* Find out what a call asks: args without the poller. As `told_to_watch`. */
static int
describe_wait(Method *self, Wait *wait, PyObject *const *args, Py_ssize_t count)
{
    *wait = (Wait){NOTHING, 0, -1, -1, NULL};
    switch (self->ask_kind) {
    case ASK_EPOLL:
        wait->timeout_ns = wait_of(count ? args[0] : NULL, 1000000000);
        if (count > 1) {
            int overflow = !PyLong_CheckExact(args[1]);
            long long most = overflow ? 0 : PyLong_AsLongLongAndOverflow(args[1], &overflow);
            if (overflow)
                return 0;
            wait->asked = most > 0 ? most : NOTHING;
        }
        return wait->timeout_ns != -2 && count <= 2;
    case ASK_POLL:
        wait->timeout_ns = wait_of(count ? args[0] : NULL, 1000000);
        return wait->timeout_ns != -2 && count <= 1;
    default:
        return told_to_watch(self, wait, args, count);
    }
}

/* Return the number of an epoll, 0 for what has none; -1 with an exception. */
static int64_t
number_of_poller(Method *self, PyObject *poller)
{
    if (!self->has_number)
        return 0;
    PyObject *fd = PyObject_CallMethodNoArgs(poller, self->core->fileno_name);
    if (!fd)
        return -1;
    PyObject *found = PyLong_CheckExact(fd) ? PyDict_GetItemWithError(self->core->by_fd, fd) : NULL;
    Entry *entry = found && Py_TYPE(found) == self->core->entry_type ? (Entry *)found : NULL;
    PyErr_Clear();
    int64_t number;
    if (entry && entry->open && entry->role && PyUnicode_Check(entry->role) && PyUnicode_CompareWithASCIIString(entry->role, "poller") == 0)
        number = entry->id; /* open, and an epoll's, since the object is */
    else
        number = PyLong_CheckExact(fd) ? number_of_fd(self->core, fd) : 0;
    Py_DECREF(fd);
    return number;
}

/* Open a slot. 0, or -1 with an exception that tells why not. */
static int
begin_wait(Method *self, Call *call, const Wait *wait, int64_t poller)
{
    Core *core = self->core;
    if (take_place(core, call) < 0)
        return -1;
    int64_t site = site_of(self);
    if (site < 0) {
        if (!PyErr_Occurred())
            PyErr_NoMemory();
        return -1;
    }
    call->asked = wait->asked;
    call->timeout_ns = wait->timeout_ns;
    open_slot(self, call, (uint32_t)poller, (uint32_t)site, 0, 0, self->operation);
    return 0;
}

/* Note what a wait reported: rows of (socket, -1, events). Returns how many, -1 with an exception. */
static int64_t
note_reported(Core *core, int64_t number, PyObject *result)
{
    Py_ssize_t count = PyList_CheckExact(result) ? PyList_GET_SIZE(result) : 0, at = 0;
    if (!count)
        return 0;
    Text text;
    text_begin(&text);
    int64_t done = -1;
    for (; at < count && at < PyList_GET_SIZE(result); at++) {
        PyObject *pair = PyList_GET_ITEM(result, at);
        if (!PyTuple_CheckExact(pair) || PyTuple_GET_SIZE(pair) != 2 || !PyLong_CheckExact(PyTuple_GET_ITEM(pair, 0)))
            continue;
        Py_INCREF(pair); /* Python may run, and the program find the list by the collector */
        int64_t socket = number_of_fd(core, PyTuple_GET_ITEM(pair, 0));
        if (socket >= 0 && at < MOST_NOTED)
            add_row(&text, socket, -1, PyLong_AsLongLong(PyTuple_GET_ITEM(pair, 1)));
        Py_DECREF(pair);
        if (PyErr_Occurred())
            goto failed;
    }
    done = write_text(core, NOTE_READINESS, number, &text) < 0 ? -1 : count;
failed:
    text_end(&text);
    return done;
}

/* Complete a wait that returned, or what register was told. -1 with an exception. */
static int
finish_wait(Method *self, Call *call, const Wait *wait, PyObject *result, int64_t ended_ns)
{
    if (self->ask_kind == ASK_EPOLL || self->ask_kind == ASK_POLL) {
        int64_t reported = note_reported(self->core, call->number, result);
        if (reported < 0)
            return -1;
        complete(call, ended_ns, reported, 0, reported ? OK : TIMED_OUT);
        return 0;
    }
    if (wait->watched >= 0) {
        Text text;
        text_begin(&text);
        add_row(&text, wait->watched, wait->interest, -1);
        int noted = write_text(self->core, NOTE_READINESS, call->number, &text);
        text_end(&text);
        if (noted < 0)
            return -1;
    }
    complete(call, ended_ns, NOTHING, 0, OK);
    return 0;
}

/* Make the call and record it; args with the poller. NULL with an exception. */
static PyObject *
make_wait(Method *self, const Wait *wait, PyObject *const *args, Py_ssize_t count)
{
    Core *core = self->core;
    Call call = {0};
    int64_t poller = number_of_poller(self, args[0]);
    if (poller < 0 || begin_wait(self, &call, wait, poller) < 0)
        return not_begun(self, &call, args, count, NULL);
    PyObject *result = self->original_vectorcall(self->original, args, count, NULL);
    int64_t ended_ns = now_ns(&core->clock);
    call.thread->current = call.parent;
    if (is_of_parent(core, &call))
        ;
    else if (!result)
        failed(self, &call, ended_ns);
    else if (finish_wait(self, &call, wait, result, ended_ns) < 0)
        result = finish_badly(self, &call, result, ended_ns);
    leave(&call);
    return result;
}

/* A call of a method of epoll or poll. */
static PyObject *
waited(Method *self, PyObject *const *args, size_t nargsf, PyObject *names)
{
    Py_ssize_t count = PyVectorcall_NARGS(nargsf);
    if (names || count > 3 || !self->core->by_fd || !self->ask)
        return PyObject_Vectorcall(self->ask ? self->ask : self->original, args, nargsf & ~PY_VECTORCALL_ARGUMENTS_OFFSET, names);
    if (settle(self->core) < 0) {
        if (!is_ours(self->core))
            return NULL;
        PyErr_Clear(); /* it is tried again, and counted, when the call takes its place */
    }
    Wait wait;
    int known = describe_wait(self, &wait, args + 1, count - 1);
    PyObject *given[3] = {args[0], wait.number ? wait.number : count > 1 ? args[1] : NULL, count > 2 ? args[2] : NULL};
    PyObject *result = NULL;
    if (known > 0)
        result = make_wait(self, &wait, given, count);
    else if (known == 0)
        result = PyObject_Vectorcall(self->ask, given, count, NULL);
    Py_XDECREF(wait.number);
    return result;
}

#endif
