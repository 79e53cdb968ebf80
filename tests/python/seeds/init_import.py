from tare import BertModel, BertConfig
from tare import PreTrainedModel
