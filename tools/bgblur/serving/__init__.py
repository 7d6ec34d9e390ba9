"""The embedded server: one process reads and writes sockets, others call the handler."""
