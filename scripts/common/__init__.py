"""What several commands share: flags, folders of recordings, tables, training with progress bars."""
