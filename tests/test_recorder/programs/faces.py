"""Prints what a program can learn about the functions that a recorder stands in for, as one JSON object.

`faces.py --list` says which those are, found by looking: everything reachable in the modules below that is of the
recorder's making. `faces.py NAME...` describes each NAME (module:path). Run by any Python from 3.8 on.
"""
# ruff: noqa: E501

import copy
import importlib
import inspect
import json
import pickle
import re
import sys
import types
import warnings
import weakref
from unittest import mock

warnings.simplefilter("ignore")
MODULES = ["socket", "select", "selectors", "os", "posix", "_posixsubprocess", "subprocess", "_ssl", "ssl", "signal",
           "_signal", "fcntl", "threading", "_thread", "socketserver", "asyncio", "time", "mmap", "io", "_io"]  # fmt: skip
KINDS = ["BuiltinFunctionType", "MethodDescriptorType", "FunctionType", "MethodType", "WrapperDescriptorType", "ClassMethodDescriptorType",
         "MethodWrapperType", "GetSetDescriptorType"]  # fmt: skip
ODD = ["__wrapped__", "_original", "_hooked", "func", "args", "keywords", "__code__", "__get__", "__set__", "__dict__", "__slots__",
       "__defaults__", "__kwdefaults__", "__closure__", "__annotations__", "__signature__", "__isabstractmethod__", "__func__", "__weakref__",
       "__set_name__", "__partialmethod__", "__len__", "__iter__", "__getitem__", "__bool__", "__index__", "__class_getitem__",
       "__vectorcalloffset__", "__getstate__", "__setstate__", "__getnewargs__", "__type_params__", "nothing_of_this_name", ""]  # fmt: skip
REAL = (types.BuiltinFunctionType, types.MethodDescriptorType, types.FunctionType)
WHERE = re.compile(r"0x[0-9a-f]+|id='[0-9]+'")


def of_the_recorder(value):
    """Say whether something stands in for what Python has there: a function of its making, or no built-in though it says so."""
    kind = type(value)
    if kind is types.FunctionType:
        return value.__code__.co_filename.startswith("<sockreel agent: ")
    return kind not in REAL and any(isinstance(value, real) for real in REAL)


def stood_in():
    """Return module:path of everything that is of the recorder's making."""
    found = []
    for module_name in MODULES:
        try:
            module = importlib.import_module(module_name)
        except ImportError:
            continue
        for name, value in sorted(vars(module).items()):
            if of_the_recorder(value):
                found.append(f"{module_name}:{name}")
            elif isinstance(value, type) and value.__module__ == module_name:
                found += [f"{module_name}:{name}.{inner}" for inner, held in sorted(vars(value).items()) if of_the_recorder(held)]
    import os
    import select

    poll = type(select.poll())
    found += [f"select:poll().{name}" for name in sorted(vars(poll)) if of_the_recorder(vars(poll)[name])]
    found += [f"os:environ.{name}" for name in ("putenv", "unsetenv") if of_the_recorder(getattr(os.environ, name, None))]
    return found


def said(ask):
    """Return what asking gives, or which exception in which words."""
    try:
        answer = ask()
        return answer if isinstance(answer, (bool, int, type(None))) else WHERE.sub("0x", answer if type(answer) is str else repr(answer))
    except BaseException as error:
        return f"{type(error).__name__}: {WHERE.sub('0x', str(error))}"


def set_and_delete(value, name):
    setattr(value, name, 1)
    delattr(value, name)
    return "can be set"


def autospec(value):
    spec = mock.create_autospec(value)
    return [said(lambda: type(spec).__name__), said(lambda: inspect.signature(spec)), sorted(set(dir(spec)) & set(dir(value))),
            said(lambda: spec(1, 2, 3, 4, 5, 6, 7, 8, 9)), said(lambda: spec(nobody=1))]  # fmt: skip


def face(value, again):
    """Return everything that may be asked of one function without doing what it does."""
    answers = {
        "repr": said(lambda: repr(value)),
        "str": said(lambda: str(value)),
        "type": said(lambda: type(value)),
        "class": said(lambda: value.__class__),
        "dir": sorted(dir(value)),
        "signature": said(lambda: inspect.signature(value)),
        "text signature": said(lambda: value.__text_signature__),
        "name": said(lambda: value.__name__),
        "qualname": said(lambda: value.__qualname__),
        "module": said(lambda: value.__module__),
        "doc": said(lambda: value.__doc__),
        "getdoc": said(lambda: inspect.getdoc(value)),
        "getmodule": said(lambda: inspect.getmodule(value)),
        "getsource": said(lambda: inspect.getsource(value)),
        "getfile": said(lambda: inspect.getfile(value)),
        "fullargspec": said(lambda: inspect.getfullargspec(value)),
        "unwrap": said(lambda: inspect.unwrap(value)),
        "objclass": said(lambda: value.__objclass__),
        "self": said(lambda: value.__self__),
        "is": {name: said(lambda name=name: bool(getattr(inspect, name)(value))) for name in sorted(dir(inspect)) if name.startswith("is")},
        "isinstance": {name: isinstance(value, getattr(types, name)) for name in KINDS},
        "callable": callable(value),
        "pickle": [said(lambda p=p: pickle.dumps(value, p)) for p in range(pickle.HIGHEST_PROTOCOL + 1)],
        "unpickled": said(lambda: pickle.loads(pickle.dumps(value)) == value),
        "copy": [said(lambda: copy.copy(value) is value), said(lambda: copy.deepcopy(value) is value), said(lambda: copy.copy(value) == value)],
        "reduce": [said(lambda: value.__reduce__()), said(lambda: value.__reduce_ex__(2)), said(lambda: value.__reduce_ex__(4))],
        "same": [value is again, value == again, hash(value) == hash(again), value != again, value in {again}, value == 1, value == print],
        "order": [said(lambda: value < again), said(lambda: value >= 1)],
        "truth": bool(value),
        "weak": said(lambda: weakref.ref(value)() is value),
        "odd": {name: said(lambda name=name: type(getattr(value, name)).__name__) for name in ODD},
        "set": {name: said(lambda name=name: set_and_delete(value, name)) for name in ["x", "__name__", "__class__"]},
        "delete": {name: said(lambda name=name: delattr(value, name)) for name in ["x", "__name__"]},
        "misuse": [said(lambda: len(value)), said(lambda: value[0]), said(lambda: iter(value)), said(lambda: value + 1), said(lambda: int(value))],
        "refused": [said(lambda: value(nobody=1, knows=2)), said(lambda: value(*range(30)))],
    }
    try:
        answers["autospec"] = autospec(value)
    except BaseException as error:
        answers["autospec"] = f"{type(error).__name__}: {error}"
    return answers


def find(name):
    """Return what a name of `stood_in` stands for, and an instance of its class, if it is a method and one can be made."""
    module_name, path = name.split(":")
    held = importlib.import_module(module_name)
    instance = None
    for part in path.split("."):
        if isinstance(held, type):
            instance = made(held)
        elif part == "poll()":
            instance = held.poll()
            held = type(instance)
            continue
        held = getattr(held, part)
    return held, instance


def made(kind):
    """Return an instance of a class; None where it takes more than its name."""
    try:
        return kind()
    except Exception:
        return None


def bindings(value, kind):
    return [said(lambda: value.__get__(None, kind)), said(lambda: value.__get__(object()))]


def main(names):
    faces = {}
    for name in names:
        value, instance = find(name)
        faces[name] = face(value, find(name)[0])
        if instance is not None:
            method = name.rpartition(".")[2]
            other = made(type(instance)) or instance
            faces[name + " bound"] = face(getattr(instance, method), getattr(instance, method))
            faces[name + " bound"]["of another"] = [
                getattr(instance, method) == getattr(other, method), getattr(instance, method).__self__ is instance]  # fmt: skip
            faces[name]["wrong self"] = said(lambda value=value: value(object()))
            faces[name]["no self"] = said(lambda value=value: value())
            faces[name]["get"] = bindings(value, type(instance))
    print(json.dumps(faces))


if sys.argv[1:] == ["--list"]:
    print(json.dumps(stood_in()))
else:
    main(sys.argv[1:])
