"""Files on disk: where the pixels lie in them, how to read them without a detour, how to write them whole."""
