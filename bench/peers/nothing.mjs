// A program that does nothing at all, to start Node with.
