"""Questions -> passages: encoder, passages, index generations on disk, lexical search, fusion."""
