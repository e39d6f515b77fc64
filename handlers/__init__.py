"""The functions: one package per context. Decisions are pure functions, entry points are thin."""
