"""Measure speed: ratios from one run, because absolute times depend on the machine and its load.

    python -m recipes.benchmark train   the recipes: against their bare step, and against PyTorch
    python -m recipes.benchmark restore networks on Keras, ONNX Runtime, OpenVINO and PyTorch
    python -m recipes.benchmark restore --weights NAME...   whole pictures: megapixels/s and memory
    python -m recipes.benchmark plug    plug-and-play against the same loop in PyTorch
    python -m recipes.benchmark loss    time of a training step with each loss over one with MSE
    python -m recipes.benchmark sensor  a denoiser between Anscombe's curves, and as it is
    python -m recipes.benchmark denoise published denoisers beside non-local means and BM3D
    python -m recipes.benchmark noise   levels of noise that are found, beside those that were added
    python -m recipes.benchmark ray     pictures per second of one and two workers of a cluster
    python -m recipes.benchmark data    samples per second, and the share of training that waits
    python -m recipes.benchmark gru     share of the recurrence in GRUNet, and its memory
    python -m recipes.benchmark import  what the packages add to the time of `import keras`

`sensor`, `denoise` and `noise` measure quality and no time. The sides of a ratio take turns, many
times; printed is the median of the ratios of neighbours, with the range of the middle half.
"""
