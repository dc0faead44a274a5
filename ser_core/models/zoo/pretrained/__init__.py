"""Published audio classifiers of transformers as models."""
