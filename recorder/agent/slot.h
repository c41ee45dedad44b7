/* A slot of the tape, for everything in C that reads or writes one; drawn as a table in layout.py. */

#ifndef SOCKREEL_SLOT_H
#define SOCKREEL_SLOT_H

#include <stddef.h>
#include <stdint.h>

#define SLOT_BYTES 96

typedef struct {
    uint32_t thread, socket;
    int64_t started_ns, asked, timeout_ns, parent;
    uint32_t site, flags, peer;
    uint16_t operation, unused0;
    int64_t duration_ns, result, ready_ns;
    int32_t errno_;
    uint16_t outcome, ready_source;
    uint32_t unused1, state;
} Slot;

_Static_assert(sizeof(Slot) == SLOT_BYTES, "slot");
_Static_assert(offsetof(Slot, duration_ns) == 56, "slot");
_Static_assert(offsetof(Slot, state) == 92, "slot");

#endif
