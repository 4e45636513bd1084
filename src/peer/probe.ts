/** In the answer to HEAD: how many bytes of the blob the peer has now. So a reader tells a peer that waits itself. */
export const bytesHeader = 'layerpull-bytes';
