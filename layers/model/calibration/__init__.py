"""What `calibrate.py` needs: photographs, gradients, samples of activations, and the fit."""
