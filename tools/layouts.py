"""The reference's rules of how files differ from models, as core/family.h spells them. Read off the live rules."""
import json
import re

from transformers.conversion_mapping import get_checkpoint_conversion_mapping


def quote(text):
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def set_text(names):
    return "SET(" + ", ".join(map(quote, names)) + ")" if names else "NONE"


def op_text(op):
    """One operation as core/family.h spells it; None where it has no word for it."""
    name = type(op).__name__
    if name in ("MergeModulelist", "Split") or (name == "Interleave" and not op.inverse):
        return f"{name}({op.dim})"
    if name in ("Concatenate", "Chunk"):
        by = op.num_shards_attribute
        return f"{name}({op.dim})" if by is None else f"{name}By({op.dim}, {quote(by)})"
    if name == "Transpose":
        return f"Transpose{'Checked' if op.check_dims else ''}({op.dim0}, {op.dim1})"
    if name == "PermuteForRope" and not op.inverse:
        sub = "NULL" if op.subconfig_key is None else quote(op.subconfig_key)
        words = op.permute_layer_names
        return f"PermuteForRope({sub}, {', '.join(map(quote, words))})" if words else f"PermuteAllForRope({sub})"
    if name == "ErnieFuseAndSplitTextVisionExperts":
        return f"{name}({op.stack_dim}, {op.concat_dim})"
    return None


def rule_text(rule):
    kind, file, model = type(rule).__name__, rule._original_source_patterns, rule._original_target_patterns
    if kind == "PrefixChange":
        add = rule.prefix_to_add is not None
        word, prefix = ("ADD", rule.prefix_to_add) if add else ("REMOVE", rule.prefix_to_remove)
        return f"PREFIX_{word}_IN({quote(rule.model_prefix)}, {quote(prefix)})" if rule.model_prefix else f"PREFIX_{word}({quote(prefix)})"
    if kind == "GroupWeightRename":
        return f"GROUP_RENAME({set_text(file)}, {set_text(model)})"
    if kind == "Inkling2IndexOffsetWeightRename" and len(file) == 1:
        return f"RENAME_SHIFTED({quote(file[0])}, {quote(model[0])}, {rule.offset})"
    if kind == "WeightRenaming" and len(file) == len(model) == 1:
        return f"RENAME({quote(file[0])}, {quote(model[0])})"
    if kind == "WeightRenaming" and len(model) == 1:
        return f"{{.what = LAYOUT_RENAME, .file = {set_text(file)}, .model = {set_text(model)}}}"
    if kind == "WeightConverter":
        ops = [op_text(op) for op in rule.operations]
        if None not in ops:
            return f"CONVERT({set_text(file)}, {set_text(model)}, {', '.join(ops)})"
    return None


def experts_text(rows):
    """Two converters of gated experts in one word, where they are just that."""
    both = re.compile(r'CONVERT\(SET\("(.*)\.\*\.(\w+)\.weight", "\1\.\*\.(\w+)\.weight"\), SET\("\1\.gate_up_proj"\), '
                      r'MergeModulelist\(0\), Concatenate\(1\)\)\nCONVERT\(SET\("\1\.\*\.(\w+)\.weight"\), SET\("\1\.down_proj"\), MergeModulelist\(0\)\)')
    return both.sub(r'EXPERTS("\1", "\2", "\3", "\4")', "\n".join(rows)).split("\n")


def plain_text(rule):
    """A rule that core/family.h has no word for."""
    ops = [type(op).__name__ + json.dumps({k: str(v) for k, v in vars(op).items()}) for op in getattr(rule, "operations", [])]
    return " ".join([type(rule).__name__, str(rule._original_source_patterns), "->", str(rule._original_target_patterns), *ops])


def rules_of(keys):
    """{model type or class: its rules as text}, of those that have any."""
    found = {key: get_checkpoint_conversion_mapping(key) for key in keys}
    return {key: [rule_text(rule) or plain_text(rule) for rule in rules] for key, rules in found.items() if rules}


def layout_text(key, missing):
    """.layout of a model type or class, or None; what cannot be said goes to `missing`."""
    rules = get_checkpoint_conversion_mapping(key)
    if not rules:
        return None
    rows = []
    for rule in rules:
        text = rule_text(rule)
        if text is None:
            missing.append(f"{key}: {plain_text(rule)}")
        else:
            rows.append(text)
    return f"LAYOUT({', '.join(experts_text(rows))})" if rows else None
