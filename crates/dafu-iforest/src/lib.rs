//! Isolation forests over ndarray: fit once, many contamination levels, the same bits on any number of threads.
