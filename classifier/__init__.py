"""The classifier: a mention becomes a classification.

`classify` is the stage's work on a batch; `trained_classifier` and `rules` are the two it can
work with; `bundle` is a trained model as a file, and `train` makes one. Judging needs numpy
and, where a platform names no language, py3langid; scikit-learn is imported only to train.
"""
