from tare import AutoModel, AutoConfig
from tare import init_empty_weights
