"""Work on many images or files, over threads, processes or a dask cluster."""
