"""The work of the commands: a module for each, whose ``main`` gets its arguments. ``tools/`` declares those."""
