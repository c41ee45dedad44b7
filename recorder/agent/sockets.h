/* Sockets that come and go: what sockets.py does for a connection that is accepted, met, and closed, without it.
 *
 * Owns the plain case of each of these steps, and the end of a socket object. Whatever is not plain (a descriptor that
 * was taken behind our back, a Unix address, text that is no UTF-8) is left to sockets.py, which shares its
 * dictionaries with this. Included where Core is defined; GIL held. */

#ifndef SOCKREEL_SOCKETS_H
#define SOCKREEL_SOCKETS_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define ADDRESS_BYTES (INET6_ADDRSTRLEN + 16)
#define TCP_INFO_BYTES 216 /* as far as bytes_retrans: Linux 4.19 on */

typedef struct {
    int known;
    int64_t received, sent, unread;
} Counted;

/* Return the value that a dictionary has for a number, borrowed; NULL where there is none. */
static Entry *
entry_at(const Core *core, PyObject *numbers, unsigned long long number)
{
    if (!numbers)
        return NULL;
    PyObject *key = PyLong_FromUnsignedLongLong(number);
    PyObject *found = key ? PyDict_GetItemWithError(numbers, key) : NULL;
    Py_XDECREF(key);
    PyErr_Clear();
    return found && Py_TYPE(found) == core->entry_type ? (Entry *)found : NULL;
}

static int
put_entry(PyObject *numbers, unsigned long long number, Entry *entry)
{
    PyObject *key = PyLong_FromUnsignedLongLong(number);
    int put = key ? PyDict_SetItem(numbers, key, (PyObject *)entry) : -1;
    Py_XDECREF(key);
    return put;
}

static void
drop_entry(const Core *core, PyObject *numbers, unsigned long long number, const Entry *entry)
{
    if (entry_at(core, numbers, number) != entry)
        return;
    PyObject *key = PyLong_FromUnsignedLongLong(number);
    if (!key || PyDict_DelItem(numbers, key) < 0)
        PyErr_Clear();
    Py_XDECREF(key);
}

static int64_t
inode_of(int fd)
{
    struct stat status;
    return fstat(fd, &status) < 0 ? -1 : (int64_t)status.st_ino;
}

/* Return the descriptor of a socket object, -1 where it has none. */
static int
fd_of(const Core *core, PyObject *sock)
{
    PyObject *told = PyObject_CallOneArg(core->raw_fileno, sock);
    long fd = told ? PyLong_AsLong(told) : -1;
    Py_XDECREF(told);
    PyErr_Clear();
    return fd < 0 || fd > INT_MAX ? -1 : (int)fd;
}

/* Keep the Entry of a socket object for as long as that lives. -1 with an exception. */
static int
adopt(Core *core, PyObject *sock, Entry *entry)
{
    if (map_put(&core->entries, sock, 0, entry) < 0) {
        PyErr_NoMemory();
        return -1;
    }
    Py_XSETREF(entry->owner, Py_NewRef((PyObject *)core));
    entry->object = sock;
    entry->generation = core->generation;
    PyObject *reference = PyWeakref_NewRef(sock, (PyObject *)entry);
    if (!reference) {
        map_remove(&core->entries, sock, 0);
        return -1;
    }
    Py_XSETREF(entry->ref, reference);
    return 0;
}

/* Whether an address of IP as Python gives it is one; its host and port, the host borrowed. */
static int
host_and_port(int family, PyObject *address, const char **host, long *port)
{
    if ((family != AF_INET && family != AF_INET6) || !PyTuple_CheckExact(address) || PyTuple_GET_SIZE(address) < 2)
        return 0;
    PyObject *first = PyTuple_GET_ITEM(address, 0), *second = PyTuple_GET_ITEM(address, 1);
    if (!PyUnicode_CheckExact(first) || !PyLong_CheckExact(second) || !PyUnicode_IS_ASCII(first) ||
        PyUnicode_GET_LENGTH(first) >= INET6_ADDRSTRLEN)
        return 0;
    *host = PyUnicode_AsUTF8(first);
    *port = PyLong_AsLong(second);
    if (*host && *port >= 0 && *port <= 65535)
        return 1;
    PyErr_Clear();
    return 0;
}

static void
write_address(char *text, int family, const char *host, long port)
{
    char digits[8], *end = digits + sizeof digits;
    *--end = 0;
    char *number = digits_before(end, port);
    char *to = text;
    if (family == AF_INET6)
        *to++ = '[';
    to = stpcpy(to, host);
    if (family == AF_INET6)
        *to++ = ']';
    *to++ = ':';
    strcpy(to, number);
}

/* Write the four numbers of an address of IPv4: inet_ntop takes ten times as long. */
static void
write_host(char *text, const struct in_addr *address)
{
    const unsigned char *parts = (const unsigned char *)address;
    for (int part = 0; part < 4; part++) {
        if (part)
            *text++ = '.';
        if (parts[part] > 99)
            *text++ = (char)('0' + parts[part] / 100);
        if (parts[part] > 9)
            *text++ = (char)('0' + parts[part] / 10 % 10);
        *text++ = (char)('0' + parts[part] % 10);
    }
    *text = 0;
}

/* Ask the kernel for a socket's own address of IP; whether it told. */
static int
ask_local(int fd, int family, char *text)
{
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } address;
    socklen_t size = sizeof address;
    char host[INET6_ADDRSTRLEN];
    if (getsockname(fd, &address.any, &size) < 0 || address.any.sa_family != family)
        return 0;
    if (family == AF_INET)
        write_host(host, &address.four.sin_addr);
    else if (!inet_ntop(family, &address.six.sin6_addr, host, sizeof host))
        return 0;
    write_address(text, family, host, ntohs(family == AF_INET ? address.four.sin_port : address.six.sin6_port));
    return 1;
}

/* Return a new Entry of a connection that a listener accepted, NULL with an exception. */
static Entry *
new_accepted(Core *core, const Entry *listener, int fd, uint64_t inode, const char *peer)
{
    PyObject *number = PyObject_CallNoArgs(core->next_socket);
    if (!number)
        return NULL;
    Entry *entry = (Entry *)core->entry_type->tp_alloc(core->entry_type, 0);
    if (entry) {
        entry->id = (unsigned int)PyLong_AsUnsignedLong(number);
        entry->fd = fd;
        entry->inode = inode;
        entry->family = listener->family;
        entry->stream = entry->open = entry->waiting = 1;
        entry->parent = listener->id;
        entry->timeout_ns = entry->stamped = -1;
        entry->role = Py_NewRef(core->accepted_role);
        entry->local = Py_NewRef(listener->local);
        entry->peer = PyUnicode_FromString(peer);
        entry->ref = Py_NewRef(Py_None);
        if (!entry->peer || PyErr_Occurred())
            Py_CLEAR(entry);
    }
    Py_DECREF(number);
    return entry;
}

/* What an accept on a listener returned: Sockets.accepted. Returns the new socket's number, 0: ask Python, -1 with an exception. */
static int64_t
accept_plainly(Core *core, Entry *listener, PyObject *result, int64_t at_ns)
{
    const char *host;
    long port;
    char peer[ADDRESS_BYTES];
    if (!core->by_fd || !listener->stream || !PyTuple_CheckExact(result) || PyTuple_GET_SIZE(result) != 2 || !listener->role ||
        !listener->local || !PyUnicode_Check(listener->role) || PyUnicode_CompareWithASCIIString(listener->role, "listener") != 0 ||
        !host_and_port(listener->family, PyTuple_GET_ITEM(result, 1), &host, &port))
        return 0;
    long fd = number_in(PyTuple_GET_ITEM(result, 0));
    int64_t inode = fd < 0 || fd >= core->look_from ? -1 : inode_of((int)fd);
    Entry *before = fd < 0 ? NULL : entry_at(core, core->by_fd, fd);
    if (inode < 0 || (before && before->open))
        return 0;
    Text text;
    text_begin(&text);
    write_address(peer, listener->family, host, port);
    Entry *entry = new_accepted(core, listener, (int)fd, inode, peer);
    if (!entry)
        return -1;
    if (Py_TYPE(core->files)->tp_dealloc == Numbers_dealloc)
        ((Numbers *)core->files)->bits[fd >> 6] &= ~((uint64_t)1 << (fd & 63));
    int64_t number = -1;
    if (put_entry(core->by_fd, fd, entry) < 0 || put_entry(core->by_inode, inode, entry) < 0)
        goto done;
    add_number(&text, fd);
    add_word(&text, "tcp");
    add_word(&text, listener->family == AF_INET ? "AF_INET" : "AF_INET6");
    add_word(&text, "SOCK_STREAM");
    add_word(&text, "accepted");
    if (add_string(&text, entry->local) < 0)
        add_word(&text, "");
    add_word(&text, peer);
    add_number(&text, entry->parent);
    add_word(&text, "accepted");
    add_word(&text, "");
    add_word(&text, "0");
    add_word(&text, "0");
    add_number(&text, at_ns);
    add_number(&text, inode);
    if (write_text(core, NOTE_SOCKET, entry->id, &text) == 0)
        number = entry->id;
done:
    text_end(&text);
    Py_DECREF(entry);
    return number;
}

/* Return how long a call on a socket may wait: Sockets.timeout_ns. -2: ask Python. */
static int64_t
timeout_of(const Core *core, PyObject *sock, int fd)
{
    PyObject *seconds = PyObject_CallOneArg(core->raw_gettimeout, sock);
    int64_t timeout_ns = -2;
    if (seconds == Py_None) {
        int flags = fcntl(fd, F_GETFL);
        timeout_ns = flags < 0 ? -2 : flags & O_NONBLOCK ? 0 : -1;
    } else if (seconds && PyFloat_CheckExact(seconds) && PyFloat_AS_DOUBLE(seconds) < 1e9)
        timeout_ns = (int64_t)(PyFloat_AS_DOUBLE(seconds) * 1e9);
    Py_XDECREF(seconds);
    PyErr_Clear();
    return timeout_ns;
}

/* Meet the object of a socket that was accepted a moment ago: Sockets.identify. Returns a new reference; NULL: ask Python, or with an exception of the program's. */
static Entry *
meet_accepted(Core *core, PyObject *sock)
{
    char local[ADDRESS_BYTES];
    if (!core->by_fd || core->offset.on || !PyObject_TypeCheck(sock, (PyTypeObject *)core->raw_type))
        return NULL;
    int fd = fd_of(core, sock);
    int64_t timeout_ns = fd < 0 ? -2 : timeout_of(core, sock, fd);
    if (timeout_ns == -2)
        return NULL;
    Entry *entry = entry_at(core, core->by_fd, fd); /* borrowed until we are sure: nothing in between calls the interpreter */
    if (!entry || !entry->waiting || !entry->local || !PyUnicode_Check(entry->local) || (entry->ref && entry->ref != Py_None) ||
        inode_of(fd) != (int64_t)entry->inode)
        return NULL;
    if ( (entry->family != AF_INET && entry->family != AF_INET6) || !ask_local(fd, entry->family, local))
        return NULL;
    Py_INCREF(entry);
    entry->waiting = 0;
    entry->timeout_ns = timeout_ns;
    int told = 0;
    if (PyUnicode_CompareWithASCIIString(entry->local, local) != 0) {
        PyObject *known = PyUnicode_FromString(local);
        Text text;
        text_begin(&text);
        add_word(&text, "local");
        add_word(&text, local);
        told = known ? write_text(core, NOTE_SOCKET_IS, entry->id, &text) : -1;
        text_end(&text);
        if (known)
            Py_SETREF(entry->local, known);
    }
    if (told < 0 || adopt(core, sock, entry) < 0) {
        if (is_ours(core))
            PyErr_Clear(); /* Python meets it as another object on the same descriptor */
        Py_CLEAR(entry);
    }
    return entry;
}

/* Ask what the kernel counted on a TCP connection: kernel.py says what, and why. */
static void
ask_counted(const Entry *entry, int fd, Counted *counted)
{
    unsigned char info[256];
    socklen_t size = sizeof info;
    counted->known = 0;
    if (fd < 0 || !entry->stream || (entry->family != AF_INET && entry->family != AF_INET6) || !entry->role || !PyUnicode_Check(entry->role) ||
        (PyUnicode_CompareWithASCIIString(entry->role, "accepted") != 0 && PyUnicode_CompareWithASCIIString(entry->role, "connected") != 0))
        return;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &size) < 0 || size < TCP_INFO_BYTES)
        return;
    uint64_t received, sent, again;
    uint32_t not_sent;
    int unread = 0;
    memcpy(&received, info + 128, sizeof received);
    memcpy(&not_sent, info + 144, sizeof not_sent);
    memcpy(&sent, info + 200, sizeof sent);
    memcpy(&again, info + 208, sizeof again);
    ioctl(fd, FIONREAD, &unread);
    counted->known = 1;
    counted->received = (int64_t)received;
    counted->sent = (int64_t)(sent - again + not_sent);
    counted->unread = unread;
}

/* Before a close: core.leave_fd. -1 with an exception. */
static int
leave_fd(Core *core, Entry *entry, PyObject *sock, Counted *counted)
{
    ask_counted(entry, fd_of(core, sock), counted);
    if (entry->open && entry->local && PyUnicode_Check(entry->local)) {
        Py_ssize_t length = PyUnicode_GET_LENGTH(entry->local);
        if (length > 1 && PyUnicode_READ_CHAR(entry->local, length - 1) == '0' && PyUnicode_READ_CHAR(entry->local, length - 2) == ':') {
            PyObject *done = UNSEEN(PyObject_CallFunctionObjArgs(core->name_unbound, (PyObject *)entry, sock, NULL));
            if (!done)
                return -1;
            Py_DECREF(done);
        }
    }
    if (entry->fd >= 0)
        drop_entry(core, core->by_fd, entry->fd, entry);
    return 0;
}

/* A close that failed: what the kernel counted is kept for when the socket is gone some other way. */
static void
keep_counted(Core *core, const Entry *entry, const Counted *counted)
{
    PyObject *key = PyLong_FromUnsignedLong(entry->id);
    PyObject *value = Py_BuildValue("LLL", (long long)counted->received, (long long)counted->sent, (long long)counted->unread);
    if (!key || !value || PyDict_SetItem(core->counted, key, value) < 0)
        PyErr_Clear();
    Py_XDECREF(key);
    Py_XDECREF(value);
}

static void
take_counted(Core *core, const Entry *entry, Counted *counted)
{
    PyObject *key = PyLong_FromUnsignedLong(entry->id), *value = key ? PyDict_GetItemWithError(core->counted, key) : NULL;
    long long received, sent, unread;
    if (value && PyTuple_Check(value) && PyArg_ParseTuple(value, "LLL", &received, &sent, &unread)) {
        *counted = (Counted){1, received, sent, unread};
        PyDict_DelItem(core->counted, key);
    }
    Py_XDECREF(key);
    PyErr_Clear();
}

/* After a socket has gone, and how: Sockets.close. -1 with an exception. */
static int
note_closed(Core *core, Entry *entry, int64_t at_ns, const char *by, const Counted *counted)
{
    if (!entry->open || !entry->id)
        return 0;
    entry->open = 0;
    drop_entry(core, core->by_inode, entry->inode, entry);
    PyObject *place = Py_BuildValue("iK", entry->fd, entry->inode);
    if (place && PyDict_GetItemWithError(core->by_place, place) == (PyObject *)entry)
        PyDict_DelItem(core->by_place, place);
    Py_XDECREF(place);
    PyErr_Clear();
    if (entry->fd >= 0)
        drop_entry(core, core->by_fd, entry->fd, entry);
    Counted kept = *counted;
    if (!kept.known && PyDict_GET_SIZE(core->counted))
        take_counted(core, entry, &kept);
    Text text;
    text_begin(&text);
    add_number(&text, at_ns);
    add_word(&text, by);
    if (kept.known) {
        add_number(&text, kept.received);
        add_number(&text, kept.sent);
        add_number(&text, kept.unread);
    }
    int told = write_text(core, NOTE_CLOSED, entry->id, &text);
    text_end(&text);
    return told;
}

#if PY_VERSION_HEX < 0x030D0000
#define Py_IsFinalizing _Py_IsFinalizing
#endif

/* An Entry is called when the object that it was adopted for is gone: no place to run Python, where a signal handler could
 * come in whose exception would go nowhere. Where that must be all the same, for memory of the tape, the exception is raised as soon as
 * the program goes on. What the end of the interpreter takes away is not collected. */
static PyObject *
Entry_gone(Entry *self, PyObject *args, PyObject *Py_UNUSED(kw))
{
    static const Counted nothing = {0, 0, 0, 0};
    Core *core = (Core *)self->owner;
    Py_INCREF(self);
    if (PyTuple_GET_SIZE(args) == 1 && self->ref == PyTuple_GET_ITEM(args, 0))
        Py_SETREF(self->ref, Py_NewRef(Py_None));
    if (core && self->object && self->generation == core->generation) { /* not on a tape of before a fork */
        map_remove(&core->entries, self->object, 0);
        self->object = NULL;
        int forked = core->forking && getpid() != core->forking; /* the tape is the parent's */
        if (core->by_fd && !forked && !Py_IsFinalizing() && note_closed(core, self, now_ns(&core->clock), "collected", &nothing) < 0)
            drop_or_keep(core);
    }
    Py_DECREF(self);
    Py_RETURN_NONE;
}

#endif
