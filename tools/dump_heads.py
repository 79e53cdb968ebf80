#!/usr/bin/env python3
"""Facts about the reference's classes that quantisation asks for, read from its sources without importing them.

usage: tools/dump_heads.py TRANSFORMERS_PACKAGE > src/quant/heads.h
       tools/dump_heads.py TRANSFORMERS_PACKAGE --caches > src/quant/caches.h

The first: where each model class keeps its output embedding, for classes where that is not a child named lm_head. It is what
get_output_embeddings() of every class of models/*/modeling_*.py returns, with inheritance. A class that answers None, or with what no
child of it is, has an empty path. The second: the attention classes whose forward() takes past_key_value or past_key_values.
"""
import ast
import glob
import os
import sys


def classes(folder, method, value_of):
    found = {}
    for file in sorted(glob.glob(os.path.join(folder, "models", "*", "modeling_*.py"))):
        with open(file) as f:
            tree = ast.parse(f.read())
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                bases = [b.id for b in node.bases if isinstance(b, ast.Name)]
                own = [x for x in node.body if isinstance(x, ast.FunctionDef) and x.name == method]
                found[node.name] = (bases, value_of(own[0]) if own else None)
    return found


def answer(function):
    """The last value it returns, as text."""
    values = [r.value for r in ast.walk(function) if isinstance(r, ast.Return)]
    return ast.unparse(values[-1]) if values and values[-1] is not None else "None"


def takes_cache(function):
    names = [a.arg for a in function.args.args + function.args.kwonlyargs]
    return "past_key_value" in names or "past_key_values" in names


def inherited(found, name):
    bases, own = found.get(name, ([], None))
    if own is not None:
        return own
    for base in bases:
        value = inherited(found, base)
        if value is not None:
            return value
    return None


def path_of(value):
    parts = value.split(".")
    if parts[0] != "self" or any(not p.isidentifier() for p in parts):
        # self.language_model.get_output_embeddings(): that part's own answer, which is its lm_head
        if parts[0] == "self" and parts[-1] == "get_output_embeddings()" and all(p.isidentifier() for p in parts[1:-1]):
            return ".".join(parts[1:-1]) + ".lm_head"
        return ""
    return ".".join(parts[1:])


def print_caches():
    found = classes(sys.argv[1], "forward", takes_cache)
    print("/* Written by tools/dump_heads.py from transformers 5.23.0: attention whose forward() takes cached keys and values. Do not edit. */")
    for name in sorted(found):
        if "attention" in name.lower() and inherited(found, name):
            print(f'"{name}",')


def main():
    if "--caches" in sys.argv:
        print_caches()
        return
    found = classes(sys.argv[1], "get_output_embeddings", answer)
    print("/* Written by tools/dump_heads.py from transformers 5.23.0: output embeddings that are no lm_head of their model's. Do not edit. */")
    for name in sorted(found):
        value = inherited(found, name)
        if value is not None and path_of(value) != "lm_head":
            print(f'{{"{name}", "{path_of(value)}"}},')


if __name__ == "__main__":
    main()
