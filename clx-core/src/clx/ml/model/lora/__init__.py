"""LoRA adapters of PEFT: ``adapter.add_adapter`` puts one into a model, ``files`` writes its files."""
