// The folder that keeps embeddings and genome indexes from run to run.

// Return a tag file in the folder, which is local. Containers mount the folders of input files, so tasks reach the folder
// through this file, and new files in it change no task's hash. (https://bford.info/cachedir)
def kept_in(folder) {
    def tag = folder.resolve('CACHEDIR.TAG')
    folder.mkdirs()
    if (!tag.exists()) {
        tag.text = 'Signature: 8a477f597d28d172789f06886806bc55\n# Kept by histpred from run to run.\n'
        // With a fixed time, -resume accepts a folder that was emptied and made again.
        java.nio.file.Files.setLastModifiedTime(tag, java.nio.file.attribute.FileTime.fromMillis(0))
    }
    return tag
}
