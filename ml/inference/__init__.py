"""What a released model does with files: answers as rows and tables, over very many files, sorted into folders."""
