# The epoll addon: one primitive, plus the C++ every backend shares.
{
  'includes': ['../../addon/native.gypi'],
  'targets': [
    {
      'target_name': 'epoll',
      'sources': ['epoll.cc', '<!@(node ../../addon/sources.mjs ../../addon/src)'],
    },
  ],
}
