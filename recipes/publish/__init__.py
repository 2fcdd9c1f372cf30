r"""Make a published weight of a finished run: measure it, write its card, put both into the zoo.

    python -m recipes.publish runs/srcnn-955-x3 --name srcnn-955-x3 --data DIR --test set5:x3 \
        --test set5:x3-rounded-luma:32.75:"9-5-5 trained on ImageNet" --test set14:x3

A test is FOLDER:TASK[:PUBLISHED[:NOTE]]; folders are below DIR, and tasks those of
`recipes.evaluate`. PUBLISHED is a number of the same protocol: one with Y rounded belongs to a task
with rounded luma. The sample photographs are always measured: a test of the package repeats that
number. With --half the file holds float16, half the size; what is measured is the network with
those values, and refused where a figure moves by 0.005 dB.
"""
