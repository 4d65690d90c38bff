"""The chapters: executed and stored (execute), and checked as a reader meets them (checks)."""
