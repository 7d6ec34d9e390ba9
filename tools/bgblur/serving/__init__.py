"""The embedded server: a front process reads and writes sockets; workers call the handler."""
