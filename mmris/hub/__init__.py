"""Models that people share: a folder, or a repository of the Hugging Face hub, of plain data alone.

======================  =======================================================================
``config.json``         the config that inference needs (:mod:`.config_check` says what it may hold)
``model.safetensors``   the weights
vocabulary              the tokenizer's file, if the tokenizer needs one (:data:`.folder.VOCABULARIES`)
``README.md``           the model card
======================  =======================================================================

Whoever published a folder is a stranger. Nothing in it is run: :mod:`.reading` reads JSON, and refuses what is not a
plain description of a model of this package. Importing this package needs nothing but Python.
"""
