// Deliberately empty: gives the precompiled Catch2 header a source file to be built with.
