// Deliberately empty: gives the precompiled headers a source file to be built with.
