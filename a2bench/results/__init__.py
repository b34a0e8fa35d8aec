"""What stores hold: rows, recipes, charts, gallery, contact sheet."""
