"""What changes where the program has imported torch."""
import tare
from tare import AutoModel, BertConfig, BertModel

config = BertConfig(num_hidden_layers=1, dtype="float16")
assert type(config.dtype).__module__ == "tare._types"

import torch  # noqa: E402

assert config.dtype is torch.float16 and tare.dtype("float16") == torch.float16
config.dtype = torch.bfloat16
assert config.to_dict()["dtype"] == "bfloat16"
with torch.device("meta"):
    model = AutoModel.from_config(config, torch_dtype=torch.float16)
weight = next(model.parameters())
assert model.device == torch.device("meta") and weight.is_meta and weight.dtype is torch.float16 and type(weight.shape) is torch.Size
assert not next(BertModel(config).parameters()).is_meta
with tare.device("meta"):
    assert next(BertModel(config).parameters()).device == torch.device("meta")
torch.set_default_device("meta")
assert BertModel(config).device == torch.device("meta")
torch.set_default_device(None)
assert repr(BertModel(config).device) == "device(type='cpu')"
print("torch's own objects")
