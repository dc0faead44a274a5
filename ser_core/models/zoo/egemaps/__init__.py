"""Classifiers of scikit-learn over the eGeMAPS functionals of opensmile: SVM, random forest, decision tree."""
