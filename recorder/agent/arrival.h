/* When the kernel had what a receive asked for (--kernel-times): the C core's side; arrivals.py is its twin.
 *
 * Owns what stands between Python's own `_socket` and the C library: that module's calls of recv, recvfrom, recvmsg,
 * getsockopt and setsockopt are led through the functions here, by the table in which the loader wrote their addresses
 * (ELF gABI, chapter 5: relocations of type JUMP_SLOT and GLOB_DAT). So a receive waits, is interrupted, lets the GIL go
 * and raises exactly as it always did, and only its last step is another system call, one that tells the kernel's
 * time, too. Nothing here holds the GIL or may touch an object, but `offset` and `ready_of`. */

#ifndef SOCKREEL_ARRIVAL_H
#define SOCKREEL_ARRIVAL_H

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#if defined(__x86_64__) && defined(__LP64__)
#define IS_BINDING(type) ((type) == R_X86_64_JUMP_SLOT || (type) == R_X86_64_GLOB_DAT)
#elif defined(__aarch64__) && defined(__LP64__)
#define IS_BINDING(type) ((type) == R_AARCH64_JUMP_SLOT || (type) == R_AARCH64_GLOB_DAT)
#else
#define IS_BINDING(type) 0 /* not known: the Python core does it */
#endif

#define STAMPING 37 /* SO_TIMESTAMPING and SCM_TIMESTAMPING, asm-generic/socket.h */
/* RX_SOFTWARE | SOFTWARE, and OPT_TX_SWHW, which says nothing of receives: by it we know our own setting again. */
#define MARK (1 << 3 | 1 << 4 | 1 << 14)
#define STAMP_SPACE CMSG_SPACE(3 * sizeof(struct timespec)) /* struct scm_timestamping, linux/errqueue.h */
#define OTHERS_SPACE 256 /* for control messages that the program asked for, and that a recv leaves aside */
#define ALIGNED __attribute__((aligned(__alignof__(struct cmsghdr))))

/* The receive that this thread makes: on which descriptor a time is wanted (-1: none), and the time, 0 where there was none. */
static _Thread_local struct {
    int fd;
    int64_t real_ns;
} arrival __attribute__((tls_model("initial-exec"))) = {-1, 0};

static int
option_of(int fd, int option)
{
    int value = 0;
    socklen_t size = sizeof value;
    return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

/* Whether it was us who asked for times on a socket. Leaves errno as it is. */
static int
is_marked(int fd)
{
    int before = errno, marked = option_of(fd, STAMPING) == MARK;
    errno = before;
    return marked;
}

static int
set_mark(int fd, int value)
{
    return setsockopt(fd, SOL_SOCKET, STAMPING, &value, sizeof value);
}

/* Whether a number names one of the options that make the kernel tell times (old, and 64 bits wide everywhere). */
static int
is_stamping_option(int level, int option)
{
    return level == SOL_SOCKET && (option == 29 || option == 35 || option == STAMPING || (option >= 63 && option <= 65));
}

/* Ask for times on a socket. Whether we get them: not where the program asked for some of its own. */
static int
stamp(int fd)
{
    static const int options[] = {29, 35, 63, 64};
    int value = option_of(fd, STAMPING);
    if (value == MARK)
        return 1; /* a listener's or another process' */
    if (value)
        return 0;
    for (size_t at = 0; at < sizeof options / sizeof *options; at++)
        if (option_of(fd, options[at]) > 0)
            return 0;
    return set_mark(fd, MARK) == 0;
}

/* Return the next control message at or behind an offset, and move the offset behind it; NULL: there is none. */
static struct cmsghdr *
next_control(char *control, size_t size, size_t *offset)
{
    if (size < sizeof(struct cmsghdr) || *offset > size - sizeof(struct cmsghdr))
        return NULL;
    struct cmsghdr *one = (struct cmsghdr *)(control + *offset);
    if (one->cmsg_len < sizeof *one || one->cmsg_len > size - *offset)
        return NULL;
    *offset += CMSG_ALIGN(one->cmsg_len);
    return one;
}

static int
is_stamp(const struct cmsghdr *one)
{
    return one->cmsg_level == SOL_SOCKET && one->cmsg_type == STAMPING;
}

static int64_t
stamp_in(struct msghdr *message)
{
    struct cmsghdr *one;
    for (size_t at = 0; (one = next_control(message->msg_control, message->msg_controllen, &at));) {
        struct timespec time;
        if (is_stamp(one) && one->cmsg_len >= CMSG_LEN(sizeof time)) {
            memcpy(&time, CMSG_DATA(one), sizeof time);
            return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
        }
    }
    return 0;
}

/* A receive of somebody who wants no control messages. */
static ssize_t
receive(int fd, struct msghdr *message, int flags)
{
    ALIGNED char control[STAMP_SPACE + OTHERS_SPACE];
    message->msg_control = control;
    message->msg_controllen = sizeof control;
    arrival.real_ns = 0;
    ssize_t got = recvmsg(fd, message, flags);
    if (got >= 0)
        arrival.real_ns = stamp_in(message);
    return got;
}

static int
is_wanted(int fd, int flags)
{
    return fd >= 0 && arrival.fd == fd && !(flags & (MSG_ERRQUEUE | MSG_OOB));
}

static ssize_t
arriving_recv(int fd, void *data, size_t size, int flags)
{
    if (!is_wanted(fd, flags))
        return recv(fd, data, size, flags);
    struct iovec part = {data, size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    return receive(fd, &message, flags);
}

static ssize_t
arriving_recvfrom(int fd, void *data, size_t size, int flags, struct sockaddr *address, socklen_t *address_size)
{
    if (!is_wanted(fd, flags) || !address || !address_size)
        return recvfrom(fd, data, size, flags, address, address_size);
    struct iovec part = {data, size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_name = address, .msg_namelen = *address_size};
    ssize_t got = receive(fd, &message, flags);
    if (got >= 0)
        *address_size = message.msg_namelen;
    return got;
}

/* Give the program the control messages it would have got without ours: put_cmsg of net/core/scm.c, over again. */
static void
hand_over_control(struct msghdr *theirs, struct msghdr *all)
{
    char *to = theirs->msg_control;
    size_t room = to ? theirs->msg_controllen : 0, at = 0;
    struct cmsghdr *one;
    theirs->msg_flags = all->msg_flags;
    while ((one = next_control(all->msg_control, all->msg_controllen, &at))) {
        if (is_stamp(one))
            continue;
        if (room < sizeof *one) {
            theirs->msg_flags |= MSG_CTRUNC;
            continue;
        }
        struct cmsghdr head = *one;
        if (room < head.cmsg_len) {
            theirs->msg_flags |= MSG_CTRUNC;
            head.cmsg_len = room;
        }
        memcpy(to, &head, sizeof head);
        memcpy(to + sizeof head, (char *)one + sizeof head, head.cmsg_len - sizeof head);
        size_t space = CMSG_ALIGN(one->cmsg_len) < room ? CMSG_ALIGN(one->cmsg_len) : room;
        to += space;
        room -= space;
    }
    theirs->msg_controllen = to ? (size_t)(to - (char *)theirs->msg_control) : 0;
}

static ssize_t
arriving_recvmsg(int fd, struct msghdr *theirs, int flags)
{
    int wanted = is_wanted(fd, flags);
    if (wanted)
        arrival.real_ns = 0;
    if (!is_marked(fd)) /* each time: whoever holds the descriptor may have set its own, on another object as well */
        return recvmsg(fd, theirs, flags);
    ALIGNED char near[STAMP_SPACE + OTHERS_SPACE];
    size_t space = STAMP_SPACE + (theirs->msg_control ? theirs->msg_controllen : 0);
    char *control = space <= sizeof near ? near : malloc(space);
    if (!control) {
        errno = ENOBUFS; /* as the kernel has it where there is no memory for this */
        return -1;
    }
    struct msghdr all = *theirs;
    all.msg_control = control;
    all.msg_controllen = space;
    ssize_t got = recvmsg(fd, &all, flags);
    if (got >= 0) {
        if (wanted)
            arrival.real_ns = stamp_in(&all);
        theirs->msg_namelen = all.msg_namelen;
        hand_over_control(theirs, &all);
    }
    int problem = errno;
    if (control != near)
        free(control);
    errno = problem;
    return got;
}

static int
arriving_getsockopt(int fd, int level, int option, void *value, socklen_t *size)
{
    int result = getsockopt(fd, level, option, value, size);
    if (result == 0 && level == SOL_SOCKET && option == STAMPING && value && is_marked(fd))
        memset(value, 0, *size < sizeof(int) ? *size : sizeof(int));
    return result;
}

static int
arriving_setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
    if (is_stamping_option(level, option) && is_marked(fd))
        set_mark(fd, 0); /* from now on its times are the program's own business */
    return setsockopt(fd, level, option, value, size);
}

static const struct {
    const char *name;
    void *function;
} arriving[] = {{"recv", arriving_recv},
                {"recvfrom", arriving_recvfrom},
                {"recvmsg", arriving_recvmsg},
                {"getsockopt", arriving_getsockopt},
                {"setsockopt", arriving_setsockopt}};
#define ARRIVING (sizeof arriving / sizeof *arriving)
#define MOST_PLACES 64

typedef struct {
    uintptr_t inside;     /* an address in the object that is looked for */
    int found;
    uintptr_t protected_from, protected_to; /* made read-only by the loader */
    int places;
    struct {
        void **at;
        int which;
    } place[MOST_PLACES];
} Bindings;

static void
find_in_table(Bindings *bindings, uintptr_t base, const ElfW(Rela) *table, size_t bytes, const ElfW(Sym) *symbols, const char *names)
{
    for (size_t at = 0; table && at < bytes / sizeof *table; at++) {
        size_t symbol = (size_t)(table[at].r_info >> 32);
        if (!symbol || !IS_BINDING((uint32_t)table[at].r_info))
            continue;
        for (size_t which = 0; which < ARRIVING; which++)
            if (strcmp(names + symbols[symbol].st_name, arriving[which].name) == 0 && bindings->places < MOST_PLACES) {
                bindings->place[bindings->places].at = (void **)(base + table[at].r_offset);
                bindings->place[bindings->places++].which = (int)which;
            }
    }
}

static int
find_bindings(struct dl_phdr_info *object, size_t Py_UNUSED(size), void *context)
{
    Bindings *bindings = context;
    uintptr_t base = object->dlpi_addr;
    const ElfW(Dyn) *dynamic = NULL;
    for (int at = 0; at < object->dlpi_phnum; at++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[at];
        uintptr_t from = base + part->p_vaddr;
        if (part->p_type == PT_LOAD && bindings->inside >= from && bindings->inside < from + part->p_memsz)
            bindings->found = 1;
        if (part->p_type == PT_DYNAMIC)
            dynamic = (const ElfW(Dyn) *)from;
        if (part->p_type == PT_GNU_RELRO) {
            bindings->protected_from = from;
            bindings->protected_to = from + part->p_memsz;
        }
    }
    if (!bindings->found) {
        bindings->protected_from = bindings->protected_to = 0;
        return 0;
    }
    uintptr_t value[DT_JMPREL + 1] = {0};
    for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++)
        if (dynamic->d_tag > 0 && dynamic->d_tag <= DT_JMPREL)
            value[dynamic->d_tag] = dynamic->d_un.d_ptr;
    static const int addresses[] = {DT_SYMTAB, DT_STRTAB, DT_RELA, DT_JMPREL};
    for (size_t at = 0; at < sizeof addresses / sizeof *addresses; at++)
        if (value[addresses[at]] && value[addresses[at]] < base)
            value[addresses[at]] += base; /* glibc has added it already, other loaders leave the file's own */
    const ElfW(Sym) *symbols = (const ElfW(Sym) *)value[DT_SYMTAB];
    const char *names = (const char *)value[DT_STRTAB];
    if (symbols && names) {
        find_in_table(bindings, base, (const ElfW(Rela) *)value[DT_RELA], value[DT_RELASZ], symbols, names);
        if (value[DT_PLTREL] == DT_RELA)
            find_in_table(bindings, base, (const ElfW(Rela) *)value[DT_JMPREL], value[DT_PLTRELSZ], symbols, names);
    }
    return 1;
}

static int
write_binding(const Bindings *bindings, void **at, void *function)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)at & ~(page - 1);
    uintptr_t address = (uintptr_t)at;
    int is_protected = address >= bindings->protected_from && address < bindings->protected_to;
    if (is_protected && mprotect((void *)from, page, PROT_READ | PROT_WRITE) < 0)
        return -1;
    __atomic_store_n(at, function, __ATOMIC_RELEASE); /* another thread may be in a receive */
    if (is_protected)
        mprotect((void *)from, page, PROT_READ);
    return 0;
}

/* Lead the receives of the object that holds `inside` through us. Returns NULL, or why that cannot be. */
static const char *
lead_through(void *inside)
{
    Bindings bindings = {.inside = (uintptr_t)inside};
    unsigned int seen = 0;
    dl_iterate_phdr(find_bindings, &bindings);
    for (int at = 0; at < bindings.places; at++)
        seen |= 1u << bindings.place[at].which;
    if (seen != (1u << ARRIVING) - 1)
        return "the calls of this interpreter's _socket cannot be found";
    for (int at = 0; at < bindings.places; at++)
        if (write_binding(&bindings, bindings.place[at].at, arriving[bindings.place[at].which].function) < 0)
            return "the calls of this interpreter's _socket cannot be changed";
    return NULL;
}

/* How CLOCK_REALTIME, by which the kernel stamps, lies to CLOCK_MONOTONIC. Slewing (NTP) moves both alike, so the distance
 * is the same to the nanosecond until somebody sets the clock; times from before that cannot be told any more. */

#define NEAR_NS 5000 /* two clocks read one after the other: more between them is looked at closely */
#define SET_NS 1000  /* and a distance that is really another one is a clock that was set */

typedef struct {
    int on;
    int64_t distance_ns; /* realtime - monotonic */
    int64_t since_ns;    /* stamps from before are not told; monotonic */
} Offset;

static inline int64_t
realtime_ns(void)
{
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

static int64_t
measure_distance(int64_t *at_ns)
{
    int64_t best = INT64_MAX, distance = 0;
    for (int tries = 0; tries < 5 && best > 200; tries++) {
        int64_t before = clock_ns(), real = realtime_ns(), after = clock_ns();
        if (after - before < best) {
            best = after - before;
            distance = real - before - best / 2;
        }
        *at_ns = after;
    }
    return distance;
}

/* Return a kernel's stamp by CLOCK_MONOTONIC, 0 where it cannot be told.
 * ended_ns: when the call returned, read just before. */
static int64_t
ready_of(Offset *offset, int64_t real_ns, int64_t ended_ns)
{
    int64_t apart = realtime_ns() - ended_ns - offset->distance_ns;
    if (apart < -NEAR_NS || apart > NEAR_NS) {
        int64_t at_ns, distance = measure_distance(&at_ns), moved = distance - offset->distance_ns;
        if (moved < -SET_NS || moved > SET_NS) {
            offset->distance_ns = distance;
            offset->since_ns = at_ns + (moved < 0 ? -moved : moved);
        }
    }
    int64_t ready_ns = real_ns - offset->distance_ns;
    if (ready_ns < offset->since_ns || ready_ns > ended_ns + SET_NS)
        return 0;
    return ready_ns < ended_ns ? ready_ns : ended_ns;
}

#endif
