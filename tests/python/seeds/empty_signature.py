class PreTrainedModel(nn.Module, ModuleUtilsMixin, GenerationMixin, PushToHubMixin, PeftAdapterMixin):
    def __init__(self, config: PreTrainedConfig, *inputs, **kwargs):
        """
        Initialize a PreTrainedModel from a configuration.

        Args:
            config (PreTrainedConfig): Model configuration object containing
                architecture parameters (hidden_size, num_layers, etc.)
            *inputs: Additional positional arguments (typically unused)
            **kwargs: Additional keyword arguments (typically unused)

        Returns:
            None (constructor modifies self in-place)

        Notes:
            - When used with torch.device("meta") or accelerate.init_empty_weights(),
              creates model structure without allocating parameter memory
            - Sets self.config to the provided configuration
            - Initializes generation_config if model supports generation
            - Calls post_init() which handles weight initialization if not on meta device
        """

# Usage pattern for empty initialization:
from tare import init_empty_weights

with init_empty_weights():
    model = AutoModel.from_config(config)
    # model now exists with architecture but no weight data
