/* What runs of ours is no business of the program's tracers and profilers: they are held while Python of ours runs.
 * Nor is it of who reads a traceback.
 *
 * Owns that pause, and taking frames of ours off an exception. A signal handler of the program that comes in the middle
 * of ours is seen (handler.h). */

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

static char own_prefix[1024]; /* what the names of our code begin with (whereabouts.py) */

static int
is_own(PyObject *trace)
{
    PyCodeObject *code = PyFrame_GetCode(((PyTracebackObject *)trace)->tb_frame);
    const char *name = own_prefix[0] && PyUnicode_Check(code->co_filename) ? PyUnicode_AsUTF8(code->co_filename) : NULL;
    if (!name)
        PyErr_Clear();
    int own = name && strncmp(name, own_prefix, strlen(own_prefix)) == 0;
    Py_DECREF(code);
    return own;
}

/* Take our frames off the outer end of the pending exception's traceback. */
static void
drop_own_frames(void)
{
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    while (trace && PyTraceBack_Check(trace) && is_own(trace)) {
        PyObject *next = (PyObject *)((PyTracebackObject *)trace)->tb_next;
        Py_XINCREF(next);
        Py_DECREF(trace);
        trace = next;
    }
    PyErr_Restore(type, value, trace);
}

#endif
