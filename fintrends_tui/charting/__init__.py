"""Charts as cells of text: from bars and a size to glyphs and tones. Pure, and free of Textual."""
