"""Taking signal peptides, hydrogens, water and hetero atoms out of structure files."""
