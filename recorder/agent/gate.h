/* Functions of `os` that are hot in programs which read files: calls on what is known to be no socket pass in C.
 *
 * Owns the set of such descriptors, and a callable that looks like a built-in function. What a call on
 * anything else comes to is asked of files.py, whose Python twin of this is sockets.Numbers. GIL held. */

#ifndef SOCKREEL_GATE_H
#define SOCKREEL_GATE_H

#define MOST_NUMBERS 65536 /* descriptors above are always asked about */

typedef struct {
    PyObject_HEAD
    uint64_t bits[MOST_NUMBERS / 64];
} Numbers;

/* Return a descriptor that the set can hold, -1 for anything else. */
static inline long
number_in(PyObject *object)
{
    if (!PyLong_CheckExact(object))
        return -1;
    int overflow;
    long number = PyLong_AsLongAndOverflow(object, &overflow);
    return number < 0 || number >= MOST_NUMBERS ? -1 : number;
}

static PyObject *
Numbers_add(Numbers *self, PyObject *object)
{
    long number = number_in(object);
    if (number >= 0)
        self->bits[number >> 6] |= (uint64_t)1 << (number & 63);
    Py_RETURN_NONE;
}

static PyObject *
Numbers_discard(Numbers *self, PyObject *object)
{
    long number = number_in(object);
    if (number >= 0)
        self->bits[number >> 6] &= ~((uint64_t)1 << (number & 63));
    Py_RETURN_NONE;
}

static PyObject *
Numbers_discard_range(Numbers *self, PyObject *args)
{
    Py_ssize_t low, high;
    if (!PyArg_ParseTuple(args, "nn", &low, &high))
        return NULL;
    for (Py_ssize_t number = low < 0 ? 0 : low; number < high && number < MOST_NUMBERS; number++)
        self->bits[number >> 6] &= ~((uint64_t)1 << (number & 63));
    Py_RETURN_NONE;
}

static PyObject *
Numbers_clear(Numbers *self, PyObject *Py_UNUSED(ignored))
{
    memset(self->bits, 0, sizeof self->bits);
    Py_RETURN_NONE;
}

static int
Numbers_contains(Numbers *self, PyObject *object)
{
    long number = number_in(object);
    return number >= 0 && self->bits[number >> 6] >> (number & 63) & 1;
}

static void
Numbers_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef Numbers_methods[] = {{"add", (PyCFunction)Numbers_add, METH_O, NULL},
                                        {"discard", (PyCFunction)Numbers_discard, METH_O, NULL},
                                        {"discard_range", (PyCFunction)Numbers_discard_range, METH_VARARGS, NULL},
                                        {"clear", (PyCFunction)Numbers_clear, METH_NOARGS, NULL},
                                        {NULL}};
static PyType_Slot Numbers_slots[] = {{Py_tp_new, PyType_GenericNew},
                                      {Py_tp_dealloc, Numbers_dealloc},
                                      {Py_tp_methods, Numbers_methods},
                                      {Py_sq_contains, Numbers_contains},
                                      {0, NULL}};
static PyType_Spec Numbers_spec = {"_sockreel_agent._core.Numbers", sizeof(Numbers), 0, Py_TPFLAGS_DEFAULT, Numbers_slots};

/* A Gate: `original` for descriptors in `files`, `hooked` for everything else. */

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall, original_vectorcall;
    PyObject *original, *hooked, *weak;
    Numbers *files;
    int closes;
} Gate;

static PyObject *
Gate_vectorcall(PyObject *callable, PyObject *const *args, size_t nargsf, PyObject *names)
{
    Gate *self = (Gate *)callable;
    if (!self->hooked)
        return PyObject_Vectorcall(self->original, args, nargsf, names);
    Py_ssize_t count = PyVectorcall_NARGS(nargsf);
    long number = count ? number_in(args[0]) : -1;
    if (number < 0 || !(self->files->bits[number >> 6] >> (number & 63) & 1))
        return PyObject_Vectorcall(self->hooked, args, nargsf, names);
    if (self->closes && count == 1 && !names)
        self->files->bits[number >> 6] &= ~((uint64_t)1 << (number & 63));
    return self->original_vectorcall(self->original, args, nargsf, names);
}

static PyObject *
Gate_new(PyTypeObject *type, PyObject *args, PyObject *kw)
{
    PyObject *original, *hooked, *files;
    int closes;
    if (!PyArg_ParseTuple(args, "OOOp", &original, &hooked, &files, &closes))
        return NULL;
    vectorcallfunc call = PyVectorcall_Function(original);
    if (!call || Py_TYPE(files)->tp_dealloc != Numbers_dealloc) {
        PyErr_SetString(PyExc_TypeError, "a built-in function and Numbers are wanted");
        return NULL;
    }
    Gate *self = (Gate *)type->tp_alloc(type, 0);
    if (!self)
        return NULL;
    self->vectorcall = Gate_vectorcall;
    self->original_vectorcall = call;
    self->original = Py_NewRef(original);
    self->hooked = Py_NewRef(hooked);
    self->files = (Numbers *)Py_NewRef(files);
    self->closes = closes;
    return (PyObject *)self;
}

/* Everything that is not being called is answered by the original. */
static PyObject *
Gate_getattro(PyObject *self, PyObject *name)
{
    if (PyUnicode_Check(name) &&
        (PyUnicode_CompareWithASCIIString(name, "__call__") == 0 || PyUnicode_CompareWithASCIIString(name, "__deepcopy__") == 0))
        return PyObject_GenericGetAttr(self, name);
    return PyObject_GetAttr(((Gate *)self)->original, name);
}

static int
Gate_setattro(PyObject *self, PyObject *name, PyObject *value)
{
    return PyObject_SetAttr(((Gate *)self)->original, name, value);
}

static PyObject *
Gate_self(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return Py_NewRef(self);
}

static PyObject *
Gate_repr(PyObject *self)
{
    return PyObject_Repr(((Gate *)self)->original);
}

static Py_hash_t
Gate_hash(PyObject *self)
{
    return PyObject_Hash(((Gate *)self)->original);
}

static PyObject *
Gate_compare(PyObject *self, PyObject *other, int how)
{
    if (how != Py_EQ && how != Py_NE)
        Py_RETURN_NOTIMPLEMENTED;
    int same = self == other || ((Gate *)self)->original == other;
    return PyBool_FromLong(how == Py_EQ ? same : !same);
}

static int
Gate_traverse(Gate *self, visitproc visit, void *arg)
{
    Py_VISIT(self->original);
    Py_VISIT(self->hooked);
    Py_VISIT(self->files);
    Py_VISIT(Py_TYPE(self));
    return 0;
}

static int
Gate_clear(Gate *self)
{
    Py_CLEAR(self->hooked);
    return 0;
}

static void
Gate_dealloc(Gate *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->weak)
        PyObject_ClearWeakRefs((PyObject *)self);
    Gate_clear(self);
    Py_CLEAR(self->original);
    Py_CLEAR(self->files);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyMethodDef Gate_methods[] = {{"__copy__", Gate_self, METH_NOARGS, NULL}, {"__deepcopy__", Gate_self, METH_O, NULL}, {NULL}};
static PyMemberDef Gate_members[] = {{"__vectorcalloffset__", T_PYSSIZET, offsetof(Gate, vectorcall), READONLY, NULL},
                                     {"__weaklistoffset__", T_PYSSIZET, offsetof(Gate, weak), READONLY, NULL},
                                     {NULL}};
static PyType_Slot Gate_slots[] = {{Py_tp_new, Gate_new},
                                   {Py_tp_call, PyVectorcall_Call},
                                   {Py_tp_getattro, Gate_getattro},
                                   {Py_tp_setattro, Gate_setattro},
                                   {Py_tp_methods, Gate_methods},
                                   {Py_tp_repr, Gate_repr},
                                   {Py_tp_hash, Gate_hash},
                                   {Py_tp_richcompare, Gate_compare},
                                   {Py_tp_members, Gate_members},
                                   {Py_tp_traverse, Gate_traverse},
                                   {Py_tp_clear, Gate_clear},
                                   {Py_tp_dealloc, Gate_dealloc},
                                   {0, NULL}};
static PyType_Spec Gate_spec = {"builtins.builtin_function_or_method", sizeof(Gate), 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL, Gate_slots};

#endif
