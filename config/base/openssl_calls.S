/* Stubs for the functions of OpenSSL that the proxy calls, on x86-64: config/base/openssl.h says
 * why. Each jumps to the function by its slot. An empty slot has all of them filled in first, by
 * openssl_fill_in(); the arguments are kept meanwhile, which are integers and pointers for every
 * function here. The linker names a function that is missing in the list below. */

    .section .rodata.openssl_names, "a", @progbits
    .globl   openssl_names
    .hidden  openssl_names
openssl_names:                       /* in the order of the slots; an empty name ends them */

    .section .bss.openssl_slots, "aw", @nobits
    .p2align 3
    .globl   openssl_slots
    .hidden  openssl_slots
openssl_slots:

    .text
    .type    fill_in, @function
fill_in:                             /* %r11: the slot of the function that is called */
    .cfi_startproc
    pushq   %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset %rbp, -16
    movq    %rsp, %rbp
    .cfi_def_cfa_register %rbp
    pushq   %rax
    pushq   %rdi
    pushq   %rsi
    pushq   %rdx
    pushq   %rcx
    pushq   %r8
    pushq   %r9
    pushq   %r11
    call    openssl_fill_in
    popq    %r11
    popq    %r9
    popq    %r8
    popq    %rcx
    popq    %rdx
    popq    %rsi
    popq    %rdi
    popq    %rax
    popq    %rbp
    .cfi_def_cfa %rsp, 8
    jmp     *(%r11)
    .cfi_endproc
    .size    fill_in, . - fill_in

    .macro stub name
    .section .rodata.openssl_names, "a", @progbits
    .asciz  "\name"
    .section .bss.openssl_slots, "aw", @nobits
.Lslot_\name:
    .skip   8
    .text
    .p2align 4
    .globl  \name
    .hidden \name
    .type   \name, @function
\name:
    .cfi_startproc
    endbr64
    leaq    .Lslot_\name(%rip), %r11
    cmpq    $0, (%r11)
    je      fill_in
    jmp     *(%r11)
    .cfi_endproc
    .size   \name, . - \name
    .endm

    stub ASN1_INTEGER_cmp
    stub ASN1_STRING_get0_data
    stub ASN1_STRING_length
    stub ASN1_STRING_to_UTF8
    stub ASN1_TIME_to_tm
    stub BIO_ctrl
    stub BIO_free
    stub BIO_get_data
    stub BIO_get_new_index
    stub BIO_meth_free
    stub BIO_meth_new
    stub BIO_meth_set_ctrl
    stub BIO_meth_set_read_ex
    stub BIO_meth_set_write_ex
    stub BIO_new
    stub BIO_new_mem_buf
    stub BIO_s_mem
    stub BIO_set_data
    stub BIO_set_flags
    stub BIO_set_init
    stub CRYPTO_free
    stub CRYPTO_get_ex_new_index
    stub CRYPTO_memcmp
    stub CRYPTO_memdup
    stub EC_curve_nid2nist
    stub ERR_clear_error
    stub ERR_peek_error
    stub ERR_peek_last_error
    stub ERR_reason_error_string
    stub EVP_CIPHER_fetch
    stub EVP_CIPHER_free
    stub EVP_CIPHER_get_iv_length
    stub EVP_CipherInit_ex2
    stub EVP_DecodeBlock
    stub EVP_Digest
    stub EVP_DigestFinal_ex
    stub EVP_DigestInit_ex
    stub EVP_DigestUpdate
    stub EVP_EncodeBlock
    stub EVP_MAC_CTX_set_params
    stub EVP_MD_CTX_free
    stub EVP_MD_CTX_new
    stub EVP_PKEY_CTX_free
    stub EVP_PKEY_CTX_new
    stub EVP_PKEY_CTX_set_rsa_padding
    stub EVP_PKEY_encrypt
    stub EVP_PKEY_encrypt_init
    stub EVP_PKEY_free
    stub EVP_PKEY_get_base_id
    stub EVP_PKEY_get_bits
    stub EVP_PKEY_get_group_name
    stub EVP_md5
    stub EVP_sha1
    stub EVP_sha256
    stub GENERAL_NAMES_free
    stub GENERAL_NAME_get0_value
    stub HMAC
    stub OBJ_nid2sn
    stub OBJ_sn2nid
    stub OCSP_BASICRESP_free
    stub OCSP_RESPONSE_free
    stub OCSP_SINGLERESP_get0_id
    stub OCSP_id_get0_info
    stub OCSP_resp_count
    stub OCSP_resp_get0
    stub OCSP_response_get1_basic
    stub OCSP_response_status
    stub OCSP_response_status_str
    stub OCSP_single_get0_status
    stub OPENSSL_cleanse
    stub OPENSSL_sk_new_null
    stub OPENSSL_sk_num
    stub OPENSSL_sk_pop_free
    stub OPENSSL_sk_push
    stub OPENSSL_sk_value
    stub OSSL_PARAM_construct_end
    stub OSSL_PARAM_construct_octet_string
    stub OSSL_PARAM_construct_utf8_string
    stub PEM_read_bio_PUBKEY
    stub PEM_read_bio_PrivateKey
    stub PEM_read_bio_X509
    stub PEM_read_bio_X509_AUX
    stub PEM_read_bio_X509_CRL
    stub PKCS5_PBKDF2_HMAC
    stub RAND_bytes
    stub RAND_priv_bytes
    stub SSL_CIPHER_get_name
    stub SSL_CTX_add_client_CA
    stub SSL_CTX_callback_ctrl
    stub SSL_CTX_ctrl
    stub SSL_CTX_free
    stub SSL_CTX_get0_param
    stub SSL_CTX_get_ex_data
    stub SSL_CTX_new
    stub SSL_CTX_sess_set_new_cb
    stub SSL_CTX_set1_cert_store
    stub SSL_CTX_set_alpn_protos
    stub SSL_CTX_set_alpn_select_cb
    stub SSL_CTX_set_cert_cb
    stub SSL_CTX_set_cert_verify_callback
    stub SSL_CTX_set_cipher_list
    stub SSL_CTX_set_ciphersuites
    stub SSL_CTX_set_client_cert_cb
    stub SSL_CTX_set_ex_data
    stub SSL_CTX_set_keylog_callback
    stub SSL_CTX_set_max_early_data
    stub SSL_CTX_set_num_tickets
    stub SSL_CTX_set_options
    stub SSL_CTX_set_session_id_context
    stub SSL_CTX_set_session_ticket_cb
    stub SSL_CTX_set_timeout
    stub SSL_CTX_set_tlsext_ticket_key_evp_cb
    stub SSL_CTX_set_verify
    stub SSL_CTX_set_verify_depth
    stub SSL_CTX_use_cert_and_key
    stub SSL_SESSION_dup
    stub SSL_SESSION_free
    stub SSL_SESSION_get0_peer
    stub SSL_SESSION_get_time
    stub SSL_SESSION_get_timeout
    stub SSL_SESSION_is_resumable
    stub SSL_certs_clear
    stub SSL_ctrl
    stub SSL_do_handshake
    stub SSL_free
    stub SSL_get0_alpn_selected
    stub SSL_get0_param
    stub SSL_get0_peer_certificate
    stub SSL_get_SSL_CTX
    stub SSL_get_certificate
    stub SSL_get_current_cipher
    stub SSL_get_error
    stub SSL_get_ex_data
    stub SSL_get_rbio
    stub SSL_get_servername
    stub SSL_get_session
    stub SSL_get_state
    stub SSL_get_verify_mode
    stub SSL_get_verify_result
    stub SSL_get_version
    stub SSL_in_init
    stub SSL_is_init_finished
    stub SSL_is_server
    stub SSL_new
    stub SSL_read
    stub SSL_read_ex
    stub SSL_select_next_proto
    stub SSL_session_reused
    stub SSL_set_accept_state
    stub SSL_set_alpn_protos
    stub SSL_set_bio
    stub SSL_set_cert_cb
    stub SSL_set_connect_state
    stub SSL_set_ex_data
    stub SSL_set_fd
    stub SSL_set_info_callback
    stub SSL_set_options
    stub SSL_set_session
    stub SSL_shutdown
    stub SSL_use_cert_and_key
    stub SSL_version
    stub SSL_write
    stub SSL_write_ex
    stub TLS_client_method
    stub TLS_server_method
    stub X509_CRL_digest
    stub X509_CRL_free
    stub X509_CRL_get0_nextUpdate
    stub X509_NAME_ENTRY_get_data
    stub X509_NAME_get_entry
    stub X509_NAME_get_index_by_NID
    stub X509_NAME_print_ex
    stub X509_OBJECT_get0_X509
    stub X509_OBJECT_get0_X509_CRL
    stub X509_OBJECT_get_type
    stub X509_STORE_CTX_set0_crls
    stub X509_STORE_add_cert
    stub X509_STORE_add_crl
    stub X509_STORE_free
    stub X509_STORE_get0_objects
    stub X509_STORE_new
    stub X509_STORE_set_default_paths
    stub X509_STORE_set_flags
    stub X509_VERIFY_PARAM_set1_host
    stub X509_VERIFY_PARAM_set1_ip
    stub X509_VERIFY_PARAM_set1_ip_asc
    stub X509_VERIFY_PARAM_set_flags
    stub X509_VERIFY_PARAM_set_hostflags
    stub X509_check_private_key
    stub X509_cmp_time
    stub X509_digest
    stub X509_free
    stub X509_get0_notAfter
    stub X509_get0_notBefore
    stub X509_get0_pubkey
    stub X509_get0_serialNumber
    stub X509_get_ext_d2i
    stub X509_get_signature_nid
    stub X509_get_subject_name
    stub X509_verify_cert
    stub X509_verify_cert_error_string
    stub d2i_OCSP_RESPONSE

    .section .rodata.openssl_names, "a", @progbits
    .asciz  ""

    .section .note.GNU-stack, "", @progbits
