/* What runs of ours is no business of the program's tracers and profilers: they are held while Python of ours runs.
 *
 * Owns that pause. A signal handler of the program that comes in the middle of it is seen (handler.h). */

#ifndef SOCKREEL_UNSEEN_H
#define SOCKREEL_UNSEEN_H

static __thread int unseen; /* how often this thread has paused them */

static inline void
unseen_begin(void)
{
    PyThreadState *state = PyThreadState_Get();
#if PY_VERSION_HEX >= 0x030B0000
    PyThreadState_EnterTracing(state);
#else
    state->tracing++;
    state->cframe->use_tracing = 0;
#endif
    unseen++;
}

static inline void
unseen_end(void)
{
    PyThreadState *state = PyThreadState_Get();
#if PY_VERSION_HEX >= 0x030B0000
    PyThreadState_LeaveTracing(state);
#else
    state->tracing--;
    state->cframe->use_tracing = state->tracing == 0 && (state->c_tracefunc || state->c_profilefunc) ? 255 : 0;
#endif
    unseen--;
}

/* The value of an expression that calls Python of ours. */
#define UNSEEN(expression)              \
    ({                                  \
        unseen_begin();                 \
        PyObject *told_ = (expression); \
        unseen_end();                   \
        told_;                          \
    })

/* Let the program be seen in the middle of ours; returns what `unseen_again` takes. */
static inline int
seen_meanwhile(void)
{
    int paused = unseen;
    while (unseen)
        unseen_end();
    return paused;
}

static inline void
unseen_again(int paused)
{
    while (unseen < paused)
        unseen_begin();
}

#endif
