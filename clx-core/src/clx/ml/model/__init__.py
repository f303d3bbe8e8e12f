"""From a base model's name to its folder, and from a folder to a tokenizer, a model and a pipeline.

Entry points: ``base_models.resolve_base_model``, ``loading.load_model`` and ``loading.make_pipeline``;
``saved_model`` loads the parts of a trained run; ``head`` prepares the head of a model, and ``lora``
puts an adapter into it.
"""
