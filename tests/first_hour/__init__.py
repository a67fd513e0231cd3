"""What docs/first-hour.md needs: a log and two servers made of a public study's answers, and a reader of the page."""
