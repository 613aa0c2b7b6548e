from ml.core.folders import keep_torch_out_of_temp

keep_torch_out_of_temp()  # before any module of this package imports torch
