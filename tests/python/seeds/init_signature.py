def __init__(self, config: PreTrainedConfig, *inputs, **kwargs):
    super().__init__()
    # Validation and setup logic
