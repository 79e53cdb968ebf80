"""Weights without torch: reads models from standard input, makes all of them after one seed, and only then touches them, the last one first.

A line is {"class": ..., "config": {...}, "plain": true}; an answer, in the same order, is {path: sha256 of its bytes}. No torch is imported.
"""
import ctypes
import hashlib
import json
import random
import sys

import tare


def made(case):
    values = dict(case["config"])
    model_class = getattr(tare, case["class"])
    config = model_class.config_class.from_dict({k: v for k, v in values.items() if k != "model_type"})
    return model_class(config) if case["plain"] else model_class._from_config(config)


def digests(model, pick):
    tensors = [*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False)]
    pick.shuffle(tensors)
    return {name: hashlib.sha256(ctypes.string_at(t.data_ptr(), t.nbytes)).hexdigest() for name, t in tensors}


def main(seed):
    tare.manual_seed(seed)
    cases = [json.loads(line) for line in sys.stdin]
    models = [made(case) for case in cases]
    answers = {}
    for i in reversed(range(len(models))):
        if cases[i].get("touch", True):
            answers[i] = digests(models[i], random.Random(seed))
        models[i] = None
    assert "torch" not in sys.modules
    for i in range(len(cases)):
        print(json.dumps(answers.get(i)))


main(int(sys.argv[1]))
