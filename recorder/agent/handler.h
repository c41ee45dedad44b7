/* Handler: what stands in a signal's place for the handler that the program has set, without a Python frame of ours.
 *
 * Owns one call: `enter(number, frame, handler)` returns (delivery, frame to show the program, whether `through` is to call the
 * handler: raised.py says why), then the handler, then `leave(delivery, error or None)`, whatever came of it. signals.py says what
 * they do, and has the same in Python. */

#ifndef SOCKREEL_HANDLER_H
#define SOCKREEL_HANDLER_H

#include <structmember.h>

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject *original, *enter, *leave, *through;
} Handler;

/* Tell of the end. What `leave` raises is the program's (another handler's), and goes on in place of `error`. */
static PyObject *
Handler_left(Handler *self, PyObject *delivery, PyObject *result)
{
    PyObject *type = NULL, *value = NULL, *trace = NULL;
    if (!result) {
        PyErr_Fetch(&type, &value, &trace);
        PyErr_NormalizeException(&type, &value, &trace);
        if (trace && value)
            PyException_SetTraceback(value, trace);
    }
    PyObject *told = UNSEEN(PyObject_CallFunctionObjArgs(self->leave, delivery, value ? value : Py_None, NULL));
    if (!told) {
        Py_CLEAR(result);
        Py_XDECREF(type);
        Py_XDECREF(value);
        Py_XDECREF(trace);
        return NULL;
    }
    Py_DECREF(told);
    if (!result)
        PyErr_Restore(type, value, trace);
    return result;
}

static PyObject *
Handler_vectorcall(PyObject *callable, PyObject *const *args, size_t nargsf, PyObject *names)
{
    Handler *self = (Handler *)callable;
    if (PyVectorcall_NARGS(nargsf) != 2 || names || !self->enter)
        return PyObject_Vectorcall(self->original, args, nargsf, names);
    PyObject *original = self->original; /* the handler may set another one, and so end ours */
    Py_INCREF(self);
    Py_INCREF(original);
    PyObject *result = NULL, *entered = UNSEEN(PyObject_CallFunctionObjArgs(self->enter, args[0], args[1], original, NULL));
    PyObject *through = Py_XNewRef(self->through);
    if (entered && PyTuple_CheckExact(entered) && PyTuple_GET_SIZE(entered) == 3) {
        PyObject *shown[3] = {original, args[0], PyTuple_GET_ITEM(entered, 1)};
        int paused = seen_meanwhile();
        if (through && PyTuple_GET_ITEM(entered, 2) == Py_True)
            result = PyObject_Vectorcall(through, shown, 3, NULL);
        else
            result = PyObject_Vectorcall(original, shown + 1, 2, NULL);
        unseen_again(paused);
        result = Handler_left(self, PyTuple_GET_ITEM(entered, 0), result);
    }
    Py_XDECREF(entered);
    Py_XDECREF(through);
    Py_DECREF(original);
    Py_DECREF(self);
    return result;
}

static PyObject *
Handler_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(kw))
{
    PyObject *original, *enter, *leave, *through;
    if (!PyArg_ParseTuple(args, "OOOO", &original, &enter, &leave, &through))
        return NULL;
    Handler *self = (Handler *)type->tp_alloc(type, 0);
    if (!self)
        return NULL;
    self->vectorcall = Handler_vectorcall;
    self->original = Py_NewRef(original);
    self->enter = Py_NewRef(enter);
    self->leave = Py_NewRef(leave);
    self->through = Py_NewRef(through);
    return (PyObject *)self;
}

static int
Handler_traverse(Handler *self, visitproc visit, void *arg)
{
    Py_VISIT(self->original);
    Py_VISIT(self->enter);
    Py_VISIT(self->leave);
    Py_VISIT(self->through);
    Py_VISIT(Py_TYPE(self));
    return 0;
}

static int
Handler_clear(Handler *self)
{
    Py_CLEAR(self->enter);
    Py_CLEAR(self->leave);
    Py_CLEAR(self->through);
    return 0; /* `original` stays: a signal may come at any time */
}

static void
Handler_dealloc(Handler *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Handler_clear(self);
    Py_CLEAR(self->original);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyMemberDef Handler_members[] = {{"original", T_OBJECT, offsetof(Handler, original), READONLY, NULL},
                                        {"__vectorcalloffset__", T_PYSSIZET, offsetof(Handler, vectorcall), READONLY, NULL},
                                        {NULL}};
static PyType_Slot Handler_slots[] = {{Py_tp_new, Handler_new},           {Py_tp_call, PyVectorcall_Call},
                                      {Py_tp_members, Handler_members},   {Py_tp_traverse, Handler_traverse},
                                      {Py_tp_clear, Handler_clear},       {Py_tp_dealloc, Handler_dealloc},
                                      {0, NULL}};
static PyType_Spec Handler_spec = {"_sockreel_agent._core.Handler", sizeof(Handler), 0,
                                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL, Handler_slots};

#endif
