"""One page that holds a decoder: its parts in HTML, CSS and JavaScript, and what fills them in."""
