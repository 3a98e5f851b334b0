"""Sources of encoded video and sound: files, the test picture, and the clip that is made at set-up."""
